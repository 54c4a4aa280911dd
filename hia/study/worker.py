"""A worker process of a study: takes trials from the queues, trains them, and tells.

Random search draws configuration number `trial` of a data set from a stream of its own, so it does
not matter when, where and in which order trials run. BOHB (Falkner et al. 2018) is Optuna's
multivariate TPE under Hyperband with the number of epochs as budget: 1 to 10, eta 3. Its
configurations depend on the results so far, so on their order.
"""

import contextlib
import functools
import itertools
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from hia import datasets, space, trainer
from hia.study import plans, processes
from hia.study.ledger import BEAT_SECONDS, by_key, open_study, own_name, params_of
from hia.study.plans import Row, Series
from hia.study.storage import ERRORS, StorageError, connect, named, patiently

# Trials of one Optuna study that a worker trains before it goes to the next: loading a data set has
# to pay, and both searches have to get on together.
TURN, BOHB_TURN = 14, 6


def work(series: Sequence[Series], url: str, device: str, index: int) -> None:
    """A worker process; it ends with one line where the storage fails."""
    try:
        with named(url):
            _train_queued(series, url, device, index)
    except (StorageError, datasets.DatasetError) as error:
        sys.exit(f"worker {index}: {error}")


def _train_queued(series: Sequence[Series], url: str, device: str, index: int) -> None:
    """Take trials from the queues, series by series in turn, until the coordinator is gone.

    One data set is in memory at a time.
    """
    processor = processes.set_up_worker(device, index)
    storage = patiently(lambda: connect(url))
    studies = [patiently(functools.partial(open_study, storage, one, index)) for one in series]
    loaded: tuple[Any, ...] = ()
    data: datasets.Dataset | None = None
    while not processes.orphaned():
        idle = True
        for one, study in zip(series, studies, strict=True):
            for _ in range(BOHB_TURN if one.bohb else TURN):
                if processes.orphaned():
                    return
                # Optuna answers an empty queue with a trial that nobody asked for.
                if not patiently(functools.partial(_waiting, study)):
                    break
                trial = patiently(study.ask)
                with contextlib.suppress(UpdateFinishedTrialError), _beating(trial):
                    job = _take(one, study, trial)
                    if job is None:
                        continue
                    idle = False
                    if _images(job) != loaded:
                        data = None  # before the next is loaded
                        data, loaded = _load(job, device), _images(job)
                    assert data is not None
                    _train_one(one, study, trial, job, data, processor)
        if idle:
            time.sleep(1)


def _waiting(study: optuna.Study) -> bool:
    return bool(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))


def _take(series: Series, study: optuna.Study, trial: optuna.Trial) -> Row | None:
    """The job of a trial; None where it is not to be trained, and has been failed."""
    patiently(lambda: trial.set_user_attr("worker", own_name()))
    key = str(trial.user_attrs.get("key"))
    counts = patiently(lambda: by_key(study)).get(key)
    if key in series.jobs and counts is not None and counts.number == trial.number:
        job = series.jobs[key]
        if trial.user_attrs.get("job") == job:
            return job
    patiently(lambda: study.tell(trial, state=TrialState.FAIL, skip_if_finished=True))
    return None


@contextlib.contextmanager
def _beating(trial: optuna.Trial) -> Iterator[None]:
    """Change a trial from time to time, so that it is not taken for dead."""
    done = threading.Event()

    def beat() -> None:
        for number in itertools.count():
            if done.wait(BEAT_SECONDS):
                return
            with contextlib.suppress(*ERRORS, UpdateFinishedTrialError):
                trial.set_user_attr("alive", number)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _images(job: Row) -> tuple[Any, ...]:
    return job["dataset"], job["in_channel_num"], job["images"], job["val_images"]


def _load(job: Row, device: str) -> datasets.Dataset:
    return datasets.load(
        job["dataset"],
        # The smallest number of which a fifth, rounded up, is `val_images`.
        max_images=datasets.VALIDATION_EVERY * (job["val_images"] - 1) + 1,
        n_train=job["images"],
        channels=job["in_channel_num"],
        device=device,
    )


def _train_one(
    series: Series,
    study: optuna.Study,
    trial: optuna.Trial,
    job: Row,
    data: datasets.Dataset,
    processor: str,
) -> None:
    """Train the CNN of a trial, leave its row in the storage, and finish the trial."""
    config = params_of(job)
    if series.bohb:
        config = patiently(lambda: _propose(series.space, trial))

    def stop(epoch: int, accuracy: float) -> bool:
        if not series.bohb:
            return False
        patiently(lambda: trial.report(accuracy, epoch))
        return epoch < config["epoch"] and patiently(trial.should_prune)

    result = trainer.train(config, data, job["seed"], stop, precision=job["precision"])
    epochs = len(result.accuracy_per_epoch)
    row = dict.fromkeys(space.FILTERS) | job | config | {"epoch": epochs}
    row |= result.row() | {"processor": processor}
    row = {name: value for name, value in row.items() if name not in plans.TRAINED_ON}
    patiently(lambda: trial.set_user_attr("row", row))
    value, state = (
        (result.accuracy, None) if epochs == config["epoch"] else (None, TrialState.PRUNED)
    )
    patiently(lambda: study.tell(trial, value, state, skip_if_finished=True))


def _propose(table1: plans.Space, trial: optuna.Trial) -> space.Config:
    """BOHB's configuration."""
    config: space.Config = {}
    for name in space.SAMPLED:
        row = table1[name]
        if name == "epoch":
            config[name] = plans.MAX_EPOCHS
        elif name in space.FILTERS[config.get("num_conv_layers", 0) :]:
            continue
        elif row.choices is not None:
            config[name] = trial.suggest_categorical(name, row.choices)
        elif row.kind == "integer":
            config[name] = trial.suggest_int(name, *map(int, row.bounds))
        else:
            config[name] = trial.suggest_float(name, *row.bounds, log=row.log)
    return config
