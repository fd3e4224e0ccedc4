"""What every engine can rely on, shown with the smallest one."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.engines import lifecycle
from infra.engines.engine import EngineError
from infra.engines.home import Home
from infra.engines.tcp import free_port, is_free
from tests.engines.tcp_engine import GreeterEngine, deaf_greeter


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "greeter"
    lifecycle.stop(GreeterEngine(), tmp_path / "greeter")


def starts(folder: Path) -> int:
    return len((folder / "data/starts").read_text())


def start(folder: Path, port: int = 0) -> lifecycle.Status:
    return lifecycle.start(GreeterEngine(), folder, port, cache=folder)


def test_start_returns_when_the_engine_answers(folder: Path) -> None:
    status = start(folder)
    assert status.condition == "running"
    assert status.address == f"127.0.0.1:{status.ports['client']}"


def test_an_engine_never_started_is_stopped(folder: Path) -> None:
    assert lifecycle.status(GreeterEngine(), folder).condition == "stopped"
    assert not lifecycle.stop(GreeterEngine(), folder)


def test_a_second_start_leaves_the_engine_as_it_is(folder: Path) -> None:
    first = start(folder)
    assert start(folder).pid == first.pid
    assert starts(folder) == 1


def test_of_several_starts_at_once_one_process_comes(folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: start(folder), range(4)))
    assert len({status.pid for status in found}) == 1
    assert starts(folder) == 1


def test_stop_lets_the_engine_close_in_order(folder: Path) -> None:
    start(folder)
    assert lifecycle.stop(GreeterEngine(), folder)
    assert (folder / "data/left").exists()
    assert lifecycle.status(GreeterEngine(), folder).condition == "stopped"


def test_an_engine_that_does_not_leave_is_ended_by_force(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "STOP_SECONDS", 0.3)
    lifecycle.start(deaf_greeter(), folder, cache=folder)
    assert lifecycle.stop(deaf_greeter(), folder)
    assert not (folder / "data/left").exists()


def test_a_killed_engine_is_dead_and_starts_again_on_its_data_and_port(folder: Path) -> None:
    first = start(folder)
    lifecycle.kill(GreeterEngine(), folder)
    assert lifecycle.status(GreeterEngine(), folder).condition == "dead"
    again = start(folder)
    assert again.ports == first.ports
    assert again.pid != first.pid
    assert starts(folder) == 2


def test_killing_what_does_not_run_is_an_error(folder: Path) -> None:
    with pytest.raises(EngineError, match="does not run"):
        lifecycle.kill(GreeterEngine(), folder)


def test_a_stopped_engine_keeps_its_port(folder: Path) -> None:
    first = start(folder)
    lifecycle.stop(GreeterEngine(), folder)
    assert start(folder).ports == first.ports


def test_a_port_that_somebody_took_meanwhile_is_replaced(folder: Path) -> None:
    first = start(folder)
    lifecycle.stop(GreeterEngine(), folder)
    with socket.create_server(("127.0.0.1", first.ports["client"])):
        assert start(folder).ports != first.ports


def test_a_port_asked_for_by_number_is_not_replaced(folder: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(EngineError, match="is taken"):
        start(folder, port)
    assert start(folder, port).ports["client"] == port


def test_an_engine_that_ends_while_starting_is_an_error_with_its_last_words(folder: Path) -> None:
    broken = GreeterEngine("raise SystemExit('no disk')")
    with pytest.raises(EngineError, match=r"ended while starting:\nno disk"):
        lifecycle.start(broken, folder, cache=folder)
    assert lifecycle.status(broken, folder).condition == "stopped"


def test_an_engine_that_never_answers_is_not_left_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "READY_SECONDS", 0.3)
    mute = GreeterEngine(
        "import os, pathlib, sys, time\n"
        "pathlib.Path(sys.argv[2], 'pid').write_text(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    with pytest.raises(EngineError, match="did not answer within"):
        lifecycle.start(mute, folder, cache=folder)
    pid = int((folder / "data/pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_pid_that_belongs_to_somebody_else_now_is_left_alone(folder: Path) -> None:
    start(folder)
    lifecycle.kill(GreeterEngine(), folder)
    file = folder / "state.json"
    document = json.loads(file.read_text())
    document["process"]["pid"] = os.getppid()
    file.write_text(json.dumps(document))
    assert lifecycle.status(GreeterEngine(), folder).condition == "dead"
    lifecycle.stop(GreeterEngine(), folder)
    os.kill(os.getppid(), 0)
    assert start(folder).condition == "running"


def test_a_process_of_an_earlier_boot_does_not_run(folder: Path) -> None:
    start(folder)
    pid = lifecycle.status(GreeterEngine(), folder).pid
    file = folder / "state.json"
    text = file.read_text()
    document = json.loads(text)
    document["process"]["boot_id"] = "another"
    file.write_text(json.dumps(document))
    assert lifecycle.status(GreeterEngine(), folder).condition == "dead"
    file.write_text(text)
    assert lifecycle.status(GreeterEngine(), folder).pid == pid


def test_a_frozen_engine_is_starting_not_running(folder: Path) -> None:
    start(folder)
    state = Home(folder).read()
    assert state is not None
    assert state.process is not None
    state.process.send(signal.SIGSTOP)
    assert lifecycle.status(GreeterEngine(), folder).condition == "starting"
    state.process.send(signal.SIGCONT)
    assert lifecycle.status(GreeterEngine(), folder).condition == "running"


def test_free_ports_lie_outside_the_range_of_outgoing_connections() -> None:
    ports = {free_port() for _ in range(50)}
    assert max(ports) < 32_768
    assert all(is_free(port) for port in ports)
