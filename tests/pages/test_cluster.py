"""Several machines at one database server: started here, joined, one of them killed."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import mariadb
import postgres
import pytest
from faults import Disturbed, until

from hia import cli
from hia.study.storage import StorageError

needs_postgres = pytest.mark.skipif(postgres.missing() is not None, reason=str(postgres.missing()))
needs_mariadb = pytest.mark.skipif(mariadb.missing() is not None, reason=str(mariadb.missing()))


@pytest.fixture
def url(request):
    if request.param == "postgresql":
        with postgres.server(durable=False) as running:
            yield running.url
    else:
        with mariadb.server() as address:
            yield address


@pytest.mark.slow
@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql", marks=needs_postgres),
        pytest.param("mariadb", marks=needs_mariadb),
    ],
    indirect=True,
)
def test_machines_join_by_the_url_and_may_die(url, tmp_path, start):
    """The same command twice, as on two machines; a worker of one dies, then all of the other."""
    disturbed = Disturbed(tmp_path, 40, url)
    first, second = start(disturbed), start(disturbed)
    until(lambda: len(workers_of(disturbed)) >= 4, first, disturbed.output)
    first.workers()[0].kill()
    disturbed.wait(first, more=2)
    os.killpg(second.pid, signal.SIGKILL)
    first.wait()
    assert "Traceback" not in disturbed.output()
    assert disturbed.output().count("a worker died (Killed)") == 1
    disturbed.assert_whole()
    notes = json.loads((tmp_path / "export" / "provenance.json").read_text())
    assert [session["workers"] for session in notes["sessions"]] == [2, 2]


def workers_of(disturbed: Disturbed) -> set[str]:
    """The worker processes that have taken a trial of the study."""
    names = {trial.user_attrs.get("worker") for trial in disturbed.trials()}
    return {name for name in names if name}


@needs_postgres
def test_a_server_that_does_not_answer_is_said_without_the_password(tmp_path, monkeypatch):
    monkeypatch.setattr("hia.study.storage.PATIENCE", (0.1,))
    disturbed = Disturbed(tmp_path, 3, f"postgresql://me:secret@/hia?host={tmp_path}")
    with pytest.raises(StorageError, match=r"me:\*\*\*@.*No such file.*once this is") as error:
        disturbed.run()
    assert "secret" not in str(error.value)


def test_the_commands_of_the_chapter_are_those_of_the_program():
    """What the chapter tells to type is what `hia` takes."""
    text = Path(__file__).parents[2].joinpath("notebooks", "cluster.py").read_text()
    commands = re.findall(r"^(?:# )?(?:exec )?(hia (?:study|export) .*)$", text, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        options = cli._parser().parse_args(command.split()[1:])
        assert options.storage.startswith("postgresql://")
        assert (Path(__file__).parents[2] / options.plan).is_file()
