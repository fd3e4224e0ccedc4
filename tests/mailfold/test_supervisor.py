"""Locks and ports of `serve`."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from mailfold.supervisor import SupervisorError, listen, lock, unlock, was_killed


def test_a_lock_that_somebody_has_names_who_it_is(tmp_path: Path) -> None:
    held = lock(tmp_path / "mx.lock")
    with pytest.raises(SupervisorError, match=f"process {os.getpid()}"):
        lock(tmp_path / "mx.lock")
    unlock(held)


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    held = lock(tmp_path / "mx.lock")
    timer = threading.Timer(0.1, unlock, [held])
    timer.start()
    unlock(lock(tmp_path / "mx.lock", patience=30.0))
    timer.join()


def test_a_lock_file_tells_a_kill_from_an_end_in_order(tmp_path: Path) -> None:
    file = tmp_path / "mx.lock"
    assert not was_killed(file)
    held = lock(file)
    os.close(held)
    assert was_killed(file)
    unlock(lock(file))
    assert not was_killed(file)


def test_a_port_in_use_is_refused_at_once_or_waited_for() -> None:
    first = listen("127.0.0.1", 0)
    host, port = first.getsockname()
    with pytest.raises(SupervisorError, match="Address already in use; choose another"):
        listen(host, port)
    timer = threading.Timer(0.1, first.close)
    timer.start()
    with listen(host, port, patience=30.0) as second:
        timer.join()
        with socket.create_connection(second.getsockname()):
            pass
