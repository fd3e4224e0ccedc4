"""What every command promises: help, exit status, one line for an error, the shape of a listing."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import mailfold.cli
from mailfold.cli import main
from tests.mailfold.cli import Cli

MAIL = b"From: a@sender.example\nSubject: one\n\ntext\n"


def commands(command: click.Command = main, *names: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that a person may type, by its words."""
    if not isinstance(command, click.Group):
        yield " ".join(names), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        if not found.hidden:
            yield from commands(found, *names, name)


COMMANDS = dict(commands())


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "data")


@pytest.fixture
def mail(tmp_path: Path) -> str:
    path = tmp_path / "one.eml"
    path.write_bytes(MAIL)
    return str(path)


# -- help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_every_option_says_what_it_does(name: str) -> None:
    command = COMMANDS[name]
    assert command.help, name
    assert re.match(r"[A-Z].*[.;:]", command.help.partition("\n")[0]), command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            assert parameter.help, f"{name} {parameter.opts}"


def test_help_loads_no_command_and_tells_of_all() -> None:
    code = (
        "import sys; from mailfold.cli import main; main(['--help'], standalone_mode=False);"
        "print(sum(m.startswith(('mailfold.', 'infra', 'apsw')) for m in sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    *text, loaded = printed.splitlines()
    assert loaded == "1"  # mailfold.cli itself
    told = re.findall(r"^  ([a-z]+)  ", "\n".join(text), re.MULTILINE)
    assert told == [n for n in mailfold.cli._COMMANDS if n != "child"]  # pyright: ignore


def test_a_command_that_serves_nothing_loads_no_server(tmp_path: Path) -> None:
    code = (
        "import sys; from mailfold.cli import main; main(['dead', 'list'], standalone_mode=False);"
        "print([m for m in ('fastapi', 'faust', 'rich', 'limits', 'confluent_kafka', 'sqlalchemy')"
        " if m in sys.modules])"
    )
    environment = {**os.environ, "MAILFOLD_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[]\n"


# -- exit status


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "domain list"),
        (0, "domain add second.test"),
        (0, "account list --json"),
        (0, "alias add info@example.test ann@example.test"),
        (0, "token create ann@example.test --ttl 12h --scope read"),
        (0, "events topics"),
        (0, "events read mailbox.commands"),
        (0, "events tail mailbox.commands --from-start --count 1"),
        (0, "projection list"),
        (0, "projection verify mailbox"),
        (0, "dead list"),
        (0, "doctor --settings"),
        (0, "--help"),
        (0, "import -h"),
        (1, "domain add example.test"),
        (1, "domain add not~a~domain"),
        (1, "domain remove example.test"),
        (1, "account add ann@example.test --password-stdin"),
        (1, "account add bob@elsewhere.test"),
        (1, "account remove nobody@example.test"),
        (1, "alias add info@example.test nobody@example.test"),
        (1, "alias remove nobody@example.test"),
        (1, "token create nobody@example.test"),
        (1, "import {mail} --to nobody@example.test"),
        (1, "trace 00000000-0000-7000-8000-000000000000"),
        (1, "events read no.such.topic"),
        (1, "events read mail.received --from yesterday"),
        (1, "projection rebuild nothing"),
        (1, "projection rebuild mailbox --roll-back"),
        (1, "dead show 7"),
        (1, "check no-such-file.eml"),
        (2, "nonsense"),
        (2, "domain"),
        (2, "domain add"),
        (2, "account add"),
        (2, "token create ann@example.test --scope all"),
        (2, "token create ann@example.test --ttl forever"),
        (2, "import"),
        (2, "import no-such-file --to ann@example.test"),
        (2, "import {mail}"),
        (2, "events read"),
        (2, "events tail mail.received --count many"),
        (2, "dead retry"),
        (2, "dead show x"),
        (2, "check"),
        (2, "check --ip 999.1.1.1 --mail-from a@b.example"),
        (2, "serve --role cook"),
    ],
)
def test_exit_status(cli: Cli, mail: str, status: int, words: str) -> None:
    cli.set_up()
    result = cli(*words.format(mail=mail).split(), stdin="secret\n")
    assert result.exit_code == status, result.output
    if status == 1:
        assert result.stdout == ""
        assert re.fullmatch(r"mailfold: \S.*\n", result.stderr), result.stderr


def test_an_import_with_failures_fails_and_says_how_many(cli: Cli, tmp_path: Path) -> None:
    address = cli.set_up()
    (tmp_path / "good.eml").write_bytes(MAIL)
    (tmp_path / "empty.eml").touch()
    result = cli("import", str(tmp_path / "good.eml"), str(tmp_path / "empty.eml"), "--to", address)
    assert result.exit_code == 1
    assert result.stdout == "1 new, 0 known, 1 failed\n"
    assert "empty" in result.stderr


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("MAILFOLD_SMTP_PORT", "99999", "smtp_port"),
        ("MAILFOLD_LMTP_TRUSTED", "here", "lmtp_trusted"),
        ("MAILFOLD_PROFILE", "both", "profile"),
        ("MAILFOLD_LAG_SLOW", "none", "lag_slow"),
    ],
)
def test_a_setting_that_cant_be_used_is_named(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    result = Cli(tmp_path / "data", **{name: value})("dead", "list")
    assert result.exit_code == 1
    assert re.fullmatch(rf"mailfold: setting {told}: .*\n", result.stderr)


def test_a_data_folder_that_cant_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words in (["dead", "list"], ["serve"]):
        result = Cli(tmp_path / "file" / "data")(*words)
        assert result.exit_code == 1
        assert re.fullmatch(r"mailfold: .*data.*\n", result.stderr), result.stderr


# -- listings


def test_listings_as_json_have_these_fields(cli: Cli) -> None:
    address = cli.set_up()
    cli.done("alias", "add", "info@example.test", address)
    (domain,) = cli.rows("domain", "list")
    (account,) = cli.rows("account", "list")
    (alias,) = cli.rows("alias", "list")
    times = [row.pop("created") for row in (domain, account, alias)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", t) for t in times)
    assert domain == {"domain": "example.test"}
    assert re.fullmatch(r"[0-9a-f-]{36}", account.pop("mailboxId"))
    assert account == {"address": address, "quotaBytes": 15_000_000_000}
    assert alias == {"alias": "info@example.test", "address": address, "remote": False}
    assert set(cli.rows("projection", "list")[0]) == {"name", "version", "state", "position", "lag"}
    assert set(cli.rows("events", "topics")[0]) == {"topic", "key", "records", "begin", "end"}
    assert set(cli.rows("doctor", "--settings")[0]) == {"setting", "value", "source"}


def test_a_removed_account_says_how_much_was_erased(cli: Cli) -> None:
    address = cli.set_up()
    assert cli.done("account", "remove", address) == "0 messages erased\n"
    assert cli.rows("account", "list") == []


# -- progress


def test_an_import_shows_progress_on_a_terminal_and_nothing_in_a_pipe(
    cli: Cli, tmp_path: Path
) -> None:
    address = cli.set_up()
    folder = tmp_path / "mails"
    folder.mkdir()
    for n in range(250):
        (folder / f"{n}.eml").write_bytes(MAIL + b"%d\n" % n)
    words = [sys.executable, "-m", "mailfold", "import", str(folder), "--to", address]
    environment = {**os.environ, "MAILFOLD_DATA": str(cli.data), "TERM": "xterm", "COLUMNS": "120"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.communicate()[0] == b"250 new, 0 known, 0 failed\n"
    assert re.search(rb"import .*bytes.*250 mails", shown.replace(b"\r", b"")), shown[-500:]
    again = subprocess.run(words, env=environment, capture_output=True, check=True)
    assert (again.stdout, again.stderr) == (b"0 new, 250 known, 0 failed\n", b"")
