from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from infra.barrier import VARIABLE, from_environment


def test_a_point_that_is_asked_for_holds_once_until_it_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    checkpoint = from_environment()
    (tmp_path / "stage.state").touch()
    passed = threading.Event()

    def process() -> None:
        checkpoint("stage.outputs")
        checkpoint("stage.state")
        passed.set()
        checkpoint("stage.state")

    thread = threading.Thread(target=process)
    thread.start()
    held = tmp_path / f"stage.state.{os.getpid()}"
    while not held.exists():
        passed.wait(0.001)
    assert not passed.is_set()
    assert not (tmp_path / "stage.state").exists()
    held.unlink()
    thread.join()
    assert passed.is_set()


def test_without_the_variable_no_point_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    from_environment()("stage.state")
