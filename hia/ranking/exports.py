"""What tools for hyperparameter search write: by the names of columns, which are hyperparameters,
results or neither, and which trials are complete."""

import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd

# Before the names of hyperparameters: scikit-learn, Optuna, MLflow, Ray Tune, W&B, Hyperopt,
# SageMaker, TensorBoard, Neptune and ClearML. What config_id says is no hyperparameter.
_MARKS = ("param", "parameter", "hparam", "hyperparam", "hyperparameter")
_PREFIXES = (
    *[f"{mark}{ending}" for mark in _MARKS for ending in ("_", "s_", ".", "s.", "/", "s/")],
    "hp_", "hp.", "hp/", "config.", "config/", "args.", "args/", "misc.vals.", "vals.",
)  # fmt: skip

# Columns that say when, where and how a trial ran; see `_words`.
_OF_A_TRIAL = (
    r"(trial|run|task|job|exp|experiment|config|study|sweep|array|worker|process|training|source"
    r"|sequence|display|wandb|slurm|arm|generation)_"
)
_BOOKKEEPING = re.compile(
    rf"({_OF_A_TRIAL})*(id|uuid|name|number|nr|num|idx|tag|state|status|index|url)"
    rf"|({_OF_A_TRIAL})+(type|version|key|dir|path|method|node)|(\w+_)?status|outcome|trial|run"
    r"|tid|uid|(created|started|finished|ended|updated|completed)(_at)?|duration\w*|elapsed|date"
    r"|time|timestamp|datetime\w*|\w*runtime|(start|end)_time|(relative|wall)_?(time|clock)\w*"
    r"|time_(total|this|since)\w*|_\w+|(\w+_)?p?pid|host|hostname|node_ip|user|agent|machine|server"
    r"|group|worker|gpus?(_(id|name|type|model|count))?|(cuda_)?device|(git_)?(commit|branch|sha|hash)"
    r"|git|tags?|notes?|comments?|remarks?|sweep|(log|output|save|checkpoint)_?dir|checkpoint(_path)?"
    r"|artifact_uri|unnamed_\d+|(best|last|stopped)_(epoch|step|iteration)|(\w+_)?global_step"
    r"|(epoch|step|iteration)s?_(stopped|done|trained|run)|(intermediate_)?result_count"
    r"|(training_)?iteration|generation|rung|bracket|(iterations|timesteps|episodes)_(since|total)\w*|seconds|attempt"
    r"|\w+_per_s(ec(ond)?)?|((peak|max|gpu|cuda|cpu|used)_)+mem(ory)?(_\w+)?|mem(ory)?_(mb|gb|used)"
    r"|(is_|has_)?(failed|crashed|pruned|success|succeeded|completed?|done|best|converged|diverged)"
    r"|(\w+_)?seed|random_state|(cv_)?fold|repeat|replicate|early_stopped|exit_?code|exception"
    r"|traceback|error_(message|type|file)"
)
_GROUPS = re.compile(
    r"(metrics?|tags|summary|results?|(user|system)_?attr(s|ibutes?)?|system|intermediate_values?)"
    r"[./_ ]",
    re.IGNORECASE,
)
# Last words of the names of results; of losses, a small one is good. (A cost can be an SVM's.)
_LOSS = re.compile(
    r"loss(es)?|err(or)?s?|n?r?mse|r?msle|s?mae|s?m?ape|mdape|perplexity|ppl|nll|logloss|[wce]er|regret"
    r"|time|latency|duration|elapsed|runtime|seconds|minutes|hours|millis|deviance|brier|flops|macs"
    r"|misclassif(ication|ied)|failures?|drawdown|violations?|(cross|x)ent(ropy)?|bce|kld?|divergence"
    r"|distance|residuals?|f[np]r|crps|fid|lpips|bp[bcd]|params|parameters|miss"
)
_GAIN = re.compile(
    r"acc(uracy)?|au(ro|pr)?c|roc|tpr|elbo|elo|f1|recall|m?iou|dice|bleu|r2|score|psnr|ssim|kappa|mcc|reward|top[15]"
    r"|lik(elihood)?|throughput|m?ap|ndcg|mrr|rouge|hits|spearman|pearson|jaccard|squared"
)
_NEGATED = re.compile(r"(?<!false)(^|[^a-z])(neg|minus|inv(erse)?[^a-z])|^\s*(1\s*)?[-−]")
# What a target is that is good where it is small: of a hyperparameter it could be the name.
_SMALL = re.compile(
    r"(^|.*_)(?<!reciprocal_)(rank(ing)?|costs?|price|energy|k?wh|co2\w*|emissions?|mem(ory)?(_[kmg]b)?"
    r"|entropy|kl_div|ece|brier_score|aicc?|bic|stress|inertia|hausdorff|hd95|delay|makespan|gap|l[12]"
    r"|false_(posi|nega)tives?(_rate)?|verlust|fehler(rate|quote)?|laufzeit|dauer|perte|erreur|co[uû]t"
    r"|p[eé]rdida|perdita|errore|costo|custo|损失|误差|損失|誤差|ошибка|потери)|rank_test_.*"
)
# Of results where the numbers say so too.
_PART = re.compile(
    "train(ing)?|val(id|idation)?|test|eval|dev|holdout|cv|oof|precision|sensitivity|specificity"
    "|objective|metric|fitness|performance|quality|profit|return|correlation|similarity"
    "|match|pass|win|ece|perf"
)
_WHICH = re.compile(
    "m?s|secs?|mm?|[mg]b|macro|micro|weighted|mean|avg|median|std|sem|ci|min|max|best|final|last"
    "|rate|pct|percent|pr"
)
_STATE = re.compile(rf"({_OF_A_TRIAL})*state|(\w+_)?status|outcome")
_COMPLETE = re.compile("completed?|finished|succe(ss|eded)|ok|terminated|done")
_INCOMPLETE = re.compile(
    "running|waiting|fail(ed|ure)?|pruned|killed|crash(ed)?|error(ed)?|scheduled|pending|queued|new"
    "|timeout|mem(ory)?out|abort(ed)?|stopped|preempt(ed|ing)|cancell?ed|invalid|paused"
)
# Columns of true and false, and what says that a trial is not complete.
_FLAGS = dict.fromkeys(("failed", "crashed", "pruned", "diverged"), True) | dict.fromkeys(
    ("success", "succeeded", "complete", "completed", "finished", "done"), False
)


def hyperparameters(names: Sequence[str]) -> tuple[str, list[str]] | None:
    """The prefix by which a tool marks hyperparameters and the columns that have it; None for a
    table that no tool has marked. One column alone could be called so by chance: then all others
    have to be known for something else."""
    marked = {mark: [n for n in names if n.lower().startswith(mark)] for mark in _PREFIXES}
    prefix, chosen = max(marked.items(), key=lambda pair: len(pair[1]))
    others = [name for name in names if not name.lower().startswith(_PREFIXES)]
    if len(chosen) > 1 or (chosen and all(is_bookkeeping(n) or is_result(n) for n in others)):
        return prefix, chosen
    return None


def is_bookkeeping(name: str) -> bool:
    """Whether the name says that a column is no hyperparameter, nor a result."""
    return bool(_BOOKKEEPING.fullmatch(_words(name)))


def is_result(name: str) -> bool:
    """Whether a column of numbers of this name is a result."""
    word = _last_word(name)
    return any(map(bool, (_GROUPS.match(name), _LOSS.fullmatch(word), _GAIN.fullmatch(word))))


def may_be_result(name: str) -> bool:
    """Whether a column of numbers of this name is a result if it goes with one."""
    return bool(_PART.fullmatch(_last_word(name)))


def is_loss(name: str) -> bool:
    """Whether a result of this name is good where it is small, as a loss, or 1 - accuracy."""
    if _NEGATED.search(name.lower()):
        return bool(_GAIN.fullmatch(_last_word(name)))
    return bool(_LOSS.fullmatch(_last_word(name)) or _SMALL.fullmatch(_words(name)))


def _split(name: str) -> str:
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()


def _words(name: str) -> str:
    """trial_id of Trial ID and of trialId. Of a path such as summary._step, the last part."""
    last = re.split(r"[./]", name)[-1]
    return re.sub(r"\W+", "_", re.sub(r"^\W+|\W+$", "", _split(last)))


def _last_word(name: str) -> str:
    """Of what is measured: without the unit, which of several it is, as in val_loss_mean, and for
    what, as in time_per_epoch; in loss_train, loss."""
    measured = re.split(r"_(?:per|to)_|(?<=loss)_(?:step|epoch)$|\s*[\[(]", _split(name))[0]
    words: list[str] = re.findall(r"[a-z]+\d*", measured)
    words = [word for word in words if not _WHICH.fullmatch(word.rstrip("0123456789"))]
    words = [w if _GAIN.fullmatch(w) else w.rstrip("0123456789") for w in words]
    result = next((word for word in reversed(words) if not _PART.fullmatch(word)), "")
    if _GAIN.fullmatch(result) or _LOSS.fullmatch(result):
        return result
    return words[-1] if words else ""


def finished(table: pd.DataFrame) -> tuple[pd.DataFrame, Counter[str]]:
    """The trials that are complete, and how many of the others are what.

    By a column that is called state, status or run_status, and has a known one, where every other
    than complete or missing counts as incomplete; and by columns of true and false, or of 1 and 0,
    such as failed. (Ray Tune's done says that a scheduler has stopped the trial.)
    """
    others: Counter[str] = Counter()
    for name in table:
        word, values = _words(str(name)), table[name]
        flag = word.removeprefix("is_").removeprefix("has_")
        of_ray = flag == "done" and "training_iteration" in table
        if _STATE.fullmatch(word):
            states = values.astype(str).str.split(".").str[-1].str.strip().str.lower()
            states = states.where(values.notna(), "complete")
            complete = states.str.fullmatch(_COMPLETE)
            known = complete | states.str.fullmatch(_INCOMPLETE)
            complete |= not known.any()
        elif flag in _FLAGS and not of_ray and set(values.dropna().unique()) == {0, 1}:
            complete = values.isna() | (values == (not _FLAGS[flag]))
            states = pd.Series(flag if _FLAGS[flag] else f"not {flag}", values.index)
        else:
            continue
        others += Counter(states[~complete])
        table = table[complete]
    return table, others
