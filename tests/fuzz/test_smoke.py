"""Each fuzz target holds for its seeds and some hundred mutations of them."""

from __future__ import annotations

import subprocess
from itertools import islice
from types import SimpleNamespace

import pytest

from tests.fuzz import run
from tests.fuzz.mutate import mutations
from tests.fuzz.targets import TARGETS

INPUTS = 300


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_target_holds_for_some_hundred_mutations(name: str) -> None:
    target = TARGETS[name]
    for data in islice(mutations(target.seeds(), 1), INPUTS):
        target.run(data)


def test_mutations_are_the_same_for_the_same_seed() -> None:
    first, again = (list(islice(mutations([b"abc", b"def"], 7), 50)) for _ in range(2))
    assert first == again


def test_all_runs_every_target_and_fails_when_one_does(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    started: list[list[str]] = []

    def process(command: list[str], *, check: bool) -> SimpleNamespace:
        assert not check
        started.append(command)
        return SimpleNamespace(returncode=1 if "spf" in command else 0)

    monkeypatch.setattr(subprocess, "run", process)
    assert run.main(["--all", "--seconds", "7", "--plain"]) == 1
    assert [command[3] for command in started] == list(TARGETS)
    assert all(command[4:] == ["--seconds=7", "--seed=0", "--plain"] for command in started)
    assert "findings in spf\n" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["spf", "--all"], ["nothing"]])
def test_one_target_or_all_has_to_be_named(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main([*arguments, "--plain"])
    assert ended.value.code == 2


def test_one_target_runs_as_a_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert run.main(["author", "--seconds", "0", "--plain"]) == 0
    assert "no finding" in capfd.readouterr().out
