"""A projection that other code wrote is built anew before `serve` says that it is ready."""

from __future__ import annotations

from pathlib import Path

import apsw

from tests.e2e.suite import listed, messages
from tests.system import System, mail


def test_serve_builds_a_projection_of_other_code_anew(tmp_path: Path) -> None:
    system = System(tmp_path / "data")
    ann = system.add_account("ann")
    system.start()
    system.send(mail("kept"), [ann])
    with system.api(ann) as api:
        listed(api, "kept")
        before = messages(api)
    assert system.stop() == 0
    with apsw.Connection(str(system.data / "views" / "mailbox.db")) as catalogue:
        catalogue.execute("update version set format = 0")
    system.start()
    try:
        with system.api(ann) as api:
            assert messages(api) == before
            system.send(mail("later"), [ann])
            listed(api, "later")
        log = (tmp_path / "data.log").read_text()
        assert "version 1 is of old code; building it anew" in log
        assert "projection mailbox: version 2 is live" in log
        assert system.run("projection", "verify", "mailbox").returncode == 0
    finally:
        assert system.stop() == 0
