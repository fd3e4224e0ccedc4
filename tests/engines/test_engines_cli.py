from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.engines.cli import main
from infra.engines.tcp import free_port


@pytest.mark.parametrize(
    "arguments",
    [
        ["start", "mainframe"],
        ["start", "--port", "kafka"],
        ["start", "--port", "kafka=many"],
        ["start", "--port", "kafka=70000"],
        ["begin"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_an_engine_that_cannot_be_had_is_one_line_and_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("infra.engines.java.INSTALLED_BELOW", ())
    done = CliRunner().invoke(main, ["start", "--data", str(tmp_path), "--port", f"kafka={port}"])
    assert done.exit_code == 1
    assert done.stderr.startswith("mailfold-engines: Java 17 is missing; install it")
    assert len(done.stderr.splitlines()) == 1


def test_status_of_engines_never_started_is_stopped(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["status", "--data", str(tmp_path)])
    assert done.exit_code == 0
    assert done.stdout == f"kafka stopped {tmp_path / 'kafka'}\n"
