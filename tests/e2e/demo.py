"""`mailfold demo`, which is what `make run` starts, in a folder of its own."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from tests.e2e.documented import Shell, install
from tests.system import System

SMTP, HTTP = "127.0.0.1:2525", "127.0.0.1:8080"
"""Where the documentation says that it listens."""


class Demo:
    """A demo that runs, and a shell beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        install(folder)
        settings = System(folder / "data").environment
        # The folder is the one that a person stands in.
        self.environment = {k: v for k, v in settings.items() if k != "MAILFOLD_DATA"}
        self.process: subprocess.Popen[str] | None = None
        self.said: list[str] = []
        self.where: dict[str, str] = {}

    def start(self) -> list[str]:
        """Start it; return the lines that it prints."""
        with (self.folder / "demo.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.folder / ".venv/bin/mailfold", "demo"],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.said = [self.process.stdout.readline().rstrip("\n") for _ in range(4)]
        assert self.said[0].startswith("ready "), self.said
        listens = dict(pair.split("=") for pair in self.said[0].split()[1:])
        self.where = {SMTP: listens["smtp"], HTTP: listens["http"]}
        return self.said

    def interrupt(self) -> int:
        """Stop it as Ctrl-C does; return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return status

    def shell(self) -> Shell:
        """A terminal in its folder."""
        return Shell(self.folder, self.where, self.environment)
