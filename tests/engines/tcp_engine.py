"""The smallest engine: a process that counts its starts in its data and greets whoever connects."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.engines.engine import Launch

_GREETER = """
import pathlib, signal, socket, sys
port, data = int(sys.argv[1]), pathlib.Path(sys.argv[2])
starts = data / "starts"
starts.write_text((starts.read_text() if starts.exists() else "") + "x")
def leave(*_):
    (data / "left").touch()
    sys.exit(0)
if {obedient}:
    signal.signal(signal.SIGTERM, leave)
else:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", port))
while True:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"hello")
"""


class GreeterEngine:
    """Satisfies Engine."""

    name = "greeter"
    port_names = ("client",)
    stop_signal = signal.SIGTERM

    def __init__(self, program: str = _GREETER.format(obedient=True)) -> None:
        self._program = program

    def fetch(self, cache: Path) -> Path:
        return cache

    def configure(self, software: Path, home: Path, ports: Mapping[str, int]) -> Launch:
        (home / "data").mkdir(parents=True, exist_ok=True)
        argv = (sys.executable, "-c", self._program, str(ports["client"]), str(home / "data"))
        return Launch(argv, dict(os.environ))

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        return greeting(ports["client"]) == b"hello"


def deaf_greeter() -> GreeterEngine:
    """One that does not leave when it is asked to."""
    return GreeterEngine(_GREETER.format(obedient=False))


def greeting(port: int) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as connection:
            return connection.recv(16)
    except OSError:
        return b""
