"""Several machines at one database server: started here, joined, one of them killed."""

import json

import pytest
from faults import Disturbed, until
from servers import MARIADB, POSTGRESQL, needs_postgres

from hia.study.storage import StorageError


@pytest.mark.slow
@pytest.mark.parametrize("url", [POSTGRESQL, MARIADB], indirect=True)
def test_machines_join_by_the_url_and_may_die(url, tmp_path, start):
    """The same command twice, as on two machines; a worker of one dies, then all of the other."""
    disturbed = Disturbed(tmp_path, 120, url)
    first, second = start(disturbed), start(disturbed)

    def workers() -> set[str]:
        """That have taken a trial of the study."""
        return {
            one.user_attrs["worker"] for one in disturbed.trials() if "worker" in one.user_attrs
        }

    until(lambda: len(workers()) >= 4, first, disturbed.output)
    first.workers()[0].kill()
    disturbed.wait(first, more=2)
    second.kill_group()
    first.wait()
    assert "Traceback" not in disturbed.output()
    assert disturbed.output().count("a worker died (Killed)") == 1
    disturbed.assert_whole()
    notes = json.loads((tmp_path / "export" / "provenance.json").read_text())
    assert [session["workers"] for session in notes["sessions"]] == [2, 2]


@needs_postgres
def test_a_server_that_does_not_answer_is_said_without_the_password(tmp_path, monkeypatch):
    monkeypatch.setattr("hia.study.storage.PATIENCE", (0.1,))
    disturbed = Disturbed(tmp_path, 3, f"postgresql://me:secret@/hia?host={tmp_path}")
    with pytest.raises(StorageError, match=r"me:\*\*\*@.*No such file.*once this is") as error:
        disturbed.run()
    assert "secret" not in str(error.value)
