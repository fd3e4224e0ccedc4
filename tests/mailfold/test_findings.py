"""What `doctor` tells apart, each brought about for real."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from infra.ports import EngineDown, Fault
from mailfold import advice
from mailfold.findings import findings
from mailfold.mailboxes import open_mailbox
from mailfold.settings import Settings, load
from mailfold.wiring import House, open_house
from schemas.identity import derived
from schemas.topics import MAILBOX_EVENTS
from streams.topology import STAGES
from tests.mailfold.cli import Cli

MAIL = b"From: a@sender.example\nSubject: one\n\n" + b"text\n" * 40_000


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "data")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with one mail that went all the way."""
    folder = tmp_path_factory.mktemp("template")
    cli = Cli(folder / "data")
    address = cli.set_up()
    (folder / "one.eml").write_bytes(MAIL)
    cli.done("import", str(folder / "one.eml"), "--to", address)
    with open_house(settings(cli)) as house:
        for stage in STAGES:
            runner = house.stepping(stage.name)
            while runner.step():
                pass
        consumer = house.projection_consumer("mailbox")
        while consumer.step(0.0):
            pass
        consumer.close()
    return cli.data


@pytest.fixture
def filled(cli: Cli, template: Path) -> Cli:
    shutil.copytree(template, cli.data, ignore=shutil.ignore_patterns("run"))
    return cli


def settings(cli: Cli, **flags: object) -> Settings:
    return load(data=cli.data, dns="127.0.0.1:9", dns_timeout=0.1, **flags)


def wrong(cli: Cli, *flags: str) -> dict[str, str]:
    """The checks that are not well, by name."""
    result = cli("doctor", "--json", *flags)
    rows = [line for line in result.stdout.splitlines() if line]
    assert result.exit_code in (0, 1), result.output
    found = {r["check"]: r["finding"] for r in map(_parsed, rows) if not r["ok"]}
    assert result.exit_code == (1 if found else 0)
    return found


def _parsed(line: str) -> dict[str, str]:
    return json.loads(line)


def test_all_is_well(filled: Cli) -> None:
    assert wrong(filled, "--deep") == {}
    rows = {r["check"]: r["finding"] for r in filled.rows("doctor", "--deep")}
    assert rows["log"] == "1 mails, 4 mailbox events"
    assert rows["keys"] == "they open the latest 1 mails"
    assert re.fullmatch(r"(\w+ is 0 records behind(, )?)+", rows["stages"])
    assert rows["projection mailbox"] == "version 1 is 0 records behind"
    assert rows["every page"] == "all whole"


def test_looking_at_nothing_makes_nothing(cli: Cli) -> None:
    (text,) = wrong(cli).values()
    assert "account add" in text
    assert not cli.data.exists()


def test_a_folder_without_installation_is_said_to_be_such(cli: Cli) -> None:
    cli.done("domain", "add", "example.test")
    assert wrong(cli)["files"] == ("nothing is set up yet; `mailfold account add ADDRESS` does it")


def test_a_folder_that_others_can_read(filled: Cli) -> None:
    filled.data.chmod(0o755)
    assert wrong(filled) == {
        "data folder": f"{filled.data} can be read by others; chmod 700 {filled.data}"
    }


@pytest.mark.parametrize("name", ["keys.db", "accounts.db", "log.db", "parts"])
def test_a_file_that_is_missing_is_named_and_not_made(filled: Cli, name: str) -> None:
    path = filled.data / name
    for one in filled.data.glob(f"{name}*"):
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    assert name in wrong(filled)["files"]
    assert not path.exists()


def test_serve_does_not_make_new_keys_for_old_mail(filled: Cli) -> None:
    for one in filled.data.glob("keys.db*"):
        one.unlink()
    result = filled("serve")
    assert result.exit_code == 1
    assert "keys.db is missing" in result.stderr
    assert not (filled.data / "keys.db").exists()


def test_an_alias_of_another_host_needs_keys_to_seal_with(filled: Cli) -> None:
    filled.done("alias", "add", "away@example.test", "ann@elsewhere.test")
    assert wrong(filled) == {
        "forwarding": "what example.test passes on is not sealed;"
        " publish what `mailfold domain keys example.test` prints"
    }
    filled.done("domain", "keys", "example.test")
    assert wrong(filled) == {}


def garbled(path: Path) -> None:
    """Overwrite the second half of a file, and let no log of it mend that."""
    with apsw.Connection(str(path)) as connection:
        connection.pragma("wal_checkpoint(truncate)")
    connection.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xa5" * (size - size // 2))


def headless(path: Path) -> None:
    for one in path.parent.glob(path.name + "*"):
        one.unlink()
    path.write_bytes(b"this is no database, whatever its name says" * 500)


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("log.db", "log"),
        ("keys.db", "keys"),
        ("accounts.db", "accounts"),
        ("views/mailbox-mailbox-1.db", "projection mailbox"),
    ],
)
def test_a_damaged_file_is_told_from_a_busy_one(filled: Cli, name: str, check: str) -> None:
    headless(filled.data / name)
    told = wrong(filled)[check]
    assert "damaged" in told
    assert ("delete the folder views" if "views" in name else "from a backup") in told


@pytest.mark.parametrize("name", ["log.db", "keys.db", "accounts.db"])
def test_damage_deep_in_a_file_is_found_by_reading_all_of_it(filled: Cli, name: str) -> None:
    garbled(filled.data / name)
    assert "from a backup" in wrong(filled, "--deep")["every page"]


def test_a_projection_that_was_damaged_comes_back_from_the_log(filled: Cli) -> None:
    shutil.rmtree(filled.data / "views")
    with open_house(settings(filled)) as house:
        house.prepare()
        consumer = house.projection_consumer("mailbox")
        while consumer.step(0.0):
            pass
        consumer.close()
    assert wrong(filled, "--deep") == {}


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (apsw.BusyError, "busy"),
        (apsw.CorruptError, "damaged"),
        (apsw.NotADBError, "damaged"),
        (apsw.FullError, "full"),
        (apsw.IOError, "disk"),
        (apsw.ReadOnlyError, "denied"),
    ],
)
def test_what_sqlite_says_has_an_advice_of_its_own(
    tmp_path: Path, error: type[apsw.Error], fault: Fault
) -> None:
    from infra.sqlite.errors import engine_errors as of_infra
    from projections.faults import engine_errors as of_projections

    for errors in (of_infra, of_projections):
        with pytest.raises(EngineDown) as raised, errors(tmp_path / "log.db"):
            raise error("x")
        assert raised.value.fault == fault
        assert advice.engine_advice(raised.value).startswith(f"log.db: {error.__name__}: ")


def test_accounts_that_another_process_holds_are_busy(filled: Cli) -> None:
    holder = sqlite3.connect(filled.data / "accounts.db", isolation_level=None)
    holder.execute("begin exclusive")
    try:
        result = filled("domain", "add", "second.test")
    finally:
        holder.close()
    assert result.exit_code == 1
    assert result.stderr == (
        "mailfold: accounts: OperationalError: another process holds it; try again in a moment\n"
    )


def test_keys_of_another_installation(filled: Cli, tmp_path: Path) -> None:
    other = Cli(tmp_path / "other")
    other.set_up()
    for one in filled.data.glob("keys.db*"):
        one.unlink()
    shutil.copy(other.data / "keys.db", filled.data / "keys.db")
    assert "has no key: keys.db is older than the log" in wrong(filled)["keys"]


def test_a_secret_of_another_installation(filled: Cli) -> None:
    with apsw.Connection(str(filled.data / "keys.db")) as c:
        c.execute("update installation set value = zeroblob(32)")
    # A large mail's parts are named by the secret, so that is what is missed first.
    assert "a part of it is missing" in wrong(filled)["keys"]


def test_parts_that_are_gone(filled: Cli) -> None:
    shutil.rmtree(filled.data / "parts")
    (filled.data / "parts").mkdir()
    assert "a part of it is missing" in wrong(filled)["keys"]


def test_mail_that_was_erased_is_no_missing_key(filled: Cli, tmp_path: Path) -> None:
    (tmp_path / "two.eml").write_bytes(b"Subject: two\n\ntext\n")
    filled.done("import", str(tmp_path / "two.eml"), "--to", "ann@example.test")
    with open_house(settings(filled)) as house:
        first, _ = (r.key for r in house.log.reader("mail.received", {}).poll(2, 1.0))
        house.keys.destroy([first])
    assert "keys" not in wrong(filled)


def in_house(cli: Cli, work: Callable[[House], None]) -> None:
    with open_house(settings(cli)) as house:
        work(house)


def test_a_clock_that_was_set_back(filled: Cli) -> None:
    def tomorrow(house: House) -> None:
        now = house.clock()
        house.clock = lambda: now + 86_400_000_000
        open_mailbox(house, derived("box"))

    in_house(filled, tomorrow)
    assert wrong(filled) == {
        "clock": "1 records are of a time to come; set the clock of this machine right"
    }


def test_a_stage_that_stands_still(filled: Cli) -> None:
    in_house(filled, lambda house: [open_mailbox(house, derived(str(n))) for n in range(3)])
    filled = Cli(filled.data, MAILFOLD_LAG_SLOW="2")
    assert "mailbox is 3 records behind" in wrong(filled)["stages"]


def test_a_projection_of_other_code(filled: Cli) -> None:
    outdate(filled.data)
    assert "`mailfold serve` builds it anew" in wrong(filled)["projection mailbox"]


def outdate(data: Path) -> None:
    with apsw.Connection(str(data / "views" / "mailbox.db")) as c:
        c.execute("update version set format = 0")


def test_a_projection_that_stands_before_a_record_that_it_cant_read(filled: Cli) -> None:
    with apsw.Connection(str(filled.data / "log.db")) as c:
        c.execute("update log_mailbox_events set value = x'ff' where offset = 3")
    with apsw.Connection(str(filled.data / "views" / "mailbox-mailbox-1.db")) as c:
        c.execute("update position set offset = 3")
    told = wrong(filled)["projection mailbox"]
    assert f"{MAILBOX_EVENTS}[0]@3: undecodable" in told
    result = filled("projection", "rebuild", "mailbox")
    assert result.exit_code == 1
    assert result.stderr == f"mailfold: {told}\n"


def test_a_postmaster_that_is_nobody(filled: Cli) -> None:
    filled = Cli(filled.data, MAILFOLD_POSTMASTER="gone@example.test")
    assert "gone@example.test is no account here" in wrong(filled)["postmaster"]


def test_dead_letters_are_told(filled: Cli) -> None:
    def park(house: House) -> None:
        (record,) = house.log.reader("mail.received", {}).poll(1, 1.0)
        house.dead.park("inbound", record, "undecodable", house.clock())

    in_house(filled, park)
    assert wrong(filled) == {"dead letters": "1 records wait; `mailfold dead list` says why"}


def test_findings_of_a_settings_object_are_the_same(filled: Cli) -> None:
    assert all(f.ok for f in findings(settings(filled)))
