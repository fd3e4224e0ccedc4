from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.ports import EngineDown
from infra.sqlite.wake import SocketWake
from tests.contracts.wake import WakeContract


class TestSocketWake(WakeContract):
    @pytest.fixture
    def wake(self, tmp_path: Path) -> SocketWake:
        return SocketWake(tmp_path / "run")

    @pytest.fixture
    def another(self, tmp_path: Path) -> Callable[[], SocketWake]:
        return lambda: SocketWake(tmp_path / "run")


class TestSocketWakeInADeepFolder(WakeContract):
    @pytest.fixture
    def wake(self, tmp_path: Path) -> SocketWake:
        return SocketWake(tmp_path / ("deep" * 20) / "run")

    @pytest.fixture
    def another(self, tmp_path: Path) -> Callable[[], SocketWake]:
        return lambda: SocketWake(tmp_path / ("deep" * 20) / ".." / ("deep" * 20) / "run")


def test_sockets_of_the_dead_are_removed(tmp_path: Path) -> None:
    wake = SocketWake(tmp_path / "deep" / "run")
    listener = wake.listen("mail.received")
    path = Path(listener._path)  # pyright: ignore[reportPrivateUsage]
    dead = path.with_name("mail.received.1.0")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(os.fspath(dead))
    s.close()
    wake.notify("mail.received")
    assert not dead.exists()
    assert path.exists()
    assert listener.wait(5)
    listener.close()
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_an_engine_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"")
    with pytest.raises(EngineDown):
        SocketWake(tmp_path / "run")


def test_a_folder_that_went_is_made_again_by_who_listens(tmp_path: Path) -> None:
    wake = SocketWake(tmp_path / "run")
    (tmp_path / "run").rmdir()
    wake.notify("mail.received")
    listener = wake.listen("mail.received")
    wake.notify("mail.received")
    assert listener.wait(5)
    listener.close()


def test_the_last_to_close_takes_the_folder_of_short_names_away(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 20) / "run"
    first, second = SocketWake(deep), SocketWake(deep)
    listener = second.listen("mail.received")
    short = Path(listener._path).parent  # pyright: ignore[reportPrivateUsage]
    first.close()
    assert short.exists()
    listener.close()
    second.close()
    assert not short.exists()
