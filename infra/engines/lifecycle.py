"""Start, stop and status of an engine, whichever process asks and whatever happened before."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.engines.cache import cache_folder
from infra.engines.engine import Engine, EngineError
from infra.engines.home import Home, State
from infra.engines.process import ProcessId, spawn
from infra.engines.tcp import free_port, is_free

READY_SECONDS = 90.0
_PROBE_SECONDS = 0.1
STOP_SECONDS = 30.0
_KILL_SECONDS = 20.0
_PORT_ATTEMPTS = 3

Condition = Literal["running", "starting", "stopped", "dead"]


@dataclass(frozen=True, slots=True)
class Status:
    """One engine now.

    `starting`: the process runs and does not answer. `dead`: it ended without being stopped.
    `address` is what clients connect to, empty when it was never started.
    """

    engine: str
    condition: Condition
    pid: int | None
    ports: Mapping[str, int]
    address: str
    folder: Path


class PortTaken(EngineError):
    """A port that was asked for by number belongs to somebody else."""


def start(engine: Engine, folder: Path, port: int = 0, cache: Path | None = None) -> Status:
    """Start the engine on the data below `folder` and wait until it answers.

    `port` is for its clients; 0 takes the one it had last, or a free one. An engine that runs
    already is left as it is. Raises EngineError when it does not answer within READY_SECONDS;
    no process is left behind then.
    """
    software = engine.fetch(cache or cache_folder(os.environ))
    home = Home(folder.absolute())
    with home.lock():
        state = home.read()
        if state is not None and state.is_alive():
            _require_port(engine, state, port)
            _await_ready(engine, home, state)
            return status(engine, folder)
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            ports = _choose_ports(engine, state, port)
            try:
                _start_once(engine, home, software, ports)
            except EngineError:
                # Somebody may have taken a port between our look and the engine's own.
                chosen_by_us = [p for p in ports.values() if p != port]
                if attempt == _PORT_ATTEMPTS or all(is_free(p) for p in chosen_by_us):
                    raise
            else:
                break
    return status(engine, folder)


def stop(engine: Engine, folder: Path) -> bool:
    """Stop the engine in order, by force when it does not leave; whether it ran.

    Raises EngineError when even that does not end it.
    """
    home = Home(folder.absolute())
    if home.read() is None:
        return False
    with home.lock():
        state = home.read()
        if state is None:
            return False
        ran = state.is_alive()
        if state.process is not None:
            state.process.send(engine.stop_signal)
            if not state.process.wait(STOP_SECONDS):
                _kill(engine, state.process)
        home.write(State(state.ports, None))
        return ran


def kill(engine: Engine, folder: Path) -> None:
    """End the engine as a crash does: SIGKILL, no time to close its files.

    Raises EngineError when it does not run.
    """
    state = Home(folder.absolute()).read()
    if state is None or state.process is None or not state.is_alive():
        raise EngineError(f"{engine.name} does not run in {folder}")
    _kill(engine, state.process)


def status(engine: Engine, folder: Path) -> Status:
    """What is known of the engine in `folder`."""
    folder = folder.absolute()
    state = Home(folder).read()
    if state is None:
        return Status(engine.name, "stopped", None, {}, "", folder)
    address = f"127.0.0.1:{state.ports[engine.port_names[0]]}"
    condition: Condition
    pid = state.process.pid if state.process is not None else None
    if state.process is None:
        condition = "stopped"
    elif not state.is_alive():
        condition = "dead"
    else:
        condition = "running" if engine.is_ready(state.ports) else "starting"
    return Status(engine.name, condition, pid, state.ports, address, folder)


def _require_port(engine: Engine, state: State, port: int) -> None:
    has = state.ports[engine.port_names[0]]
    if port not in (0, has):
        raise EngineError(
            f"{engine.name} runs on port {has} already: stop it before it can have port {port}"
        )


def _choose_ports(engine: Engine, state: State | None, port: int) -> dict[str, int]:
    """The ports of last time where they are free, so that clients find the engine again."""
    before = dict(state.ports) if state is not None else {}
    if port:
        if not is_free(port):
            raise PortTaken(f"port {port} for {engine.name} is taken: choose another one, or 0")
        before[engine.port_names[0]] = port
    chosen: dict[str, int] = {}
    for name in engine.port_names:
        candidate = before.get(name, 0)
        while candidate == 0 or candidate in chosen.values() or not is_free(candidate):
            candidate = free_port()
        chosen[name] = candidate
    return chosen


def _start_once(engine: Engine, home: Home, software: Path, ports: Mapping[str, int]) -> None:
    launch = engine.configure(software, home.folder, ports)
    try:
        process = spawn(launch.argv, launch.environment, home.log)
    except OSError as error:
        raise EngineError(f"{engine.name}: {launch.argv[0]} cannot be run: {error}") from error
    state = State(ports, process)
    home.write(state)
    try:
        _await_ready(engine, home, state)
    except BaseException:
        # Ctrl-C included: what we started and could not hand over does not stay.
        _kill(engine, process)
        home.write(State(ports, None))
        raise


def _await_ready(engine: Engine, home: Home, state: State) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not engine.is_ready(state.ports):
        if not state.is_alive():
            raise EngineError(f"{engine.name} ended while starting:\n{home.last_words()}")
        if time.monotonic() >= deadline:
            raise EngineError(
                f"{engine.name} did not answer within {READY_SECONDS:.0f} s:\n{home.last_words()}"
            )
        time.sleep(_PROBE_SECONDS)


def _kill(engine: Engine, process: ProcessId) -> None:
    process.send(signal.SIGKILL)
    if not process.wait(_KILL_SECONDS):
        raise EngineError(f"{engine.name} (pid {process.pid}) does not end, even by SIGKILL")
