"""What the engines that run on Java have in common: small, quick to start, one class path."""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.engines.engine import EngineError, Launch
from infra.engines.java import Java
from infra.engines.process import spawn
from infra.locks import locked

# One compiler tier and the serial collector: on few cores a short start and a small footprint
# count for more than peak throughput. Out of memory must end the process, not one thread of it.
FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.net.preferIPv4Stack=true",
)

_TRAINING_SECONDS = 90.0
_PROBE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Program:
    """A Java program: JVM flags, the folder of its jars, its main class and arguments."""

    flags: tuple[str, ...]
    lib: Path
    main: str
    arguments: tuple[str, ...]

    def launch(self, java: Java, *more_flags: str) -> Launch:
        """How it is started on this Java."""
        classpath = f"{self.lib}/*"
        return Launch(
            (
                *(str(java.executable), *self.flags, *more_flags),
                *("-cp", classpath, self.main, *self.arguments),
            ),
            _environment(),
        )


def archive_flags(software: Path, java: Java) -> tuple[str, ...]:
    """The flag that makes the JVM take its classes from the archive, if there is one."""
    archive = _archive(software, java)
    if archive.is_file() and archive.stat().st_size > 0:
        return (f"-XX:SharedArchiveFile={archive}",)
    return ()


def ensure_archive(
    software: Path,
    java: Java,
    configure: Callable[[Path], tuple[Program, Callable[[], bool]]],
) -> None:
    """Make the archive of loaded classes by one run of the program, unless it is there.

    It holds for this Java and these jars at this place only, and halves the time to ready.
    `configure` is given an empty folder and returns the program and its ready probe. Raises
    EngineError when the program does not get ready: then it could not be started either.
    """
    archive = _archive(software, java)
    if archive.exists():
        return
    with locked(archive.with_suffix(".lock"), 3 * _TRAINING_SECONDS):
        if archive.exists():
            return
        with tempfile.TemporaryDirectory(prefix="training-", dir=software) as folder:
            made = Path(folder, "classes.jsa")
            program, is_ready = configure(Path(folder))
            launch = program.launch(java, f"-XX:ArchiveClassesAtExit={made}")
            _run_once(launch, is_ready, Path(folder, "engine.log"))
            # A Java built without class sharing makes none; the empty file says so.
            made.touch()
            os.replace(made, archive)


def _archive(software: Path, java: Java) -> Path:
    identity = f"{java.home}\n{java.description}".encode()
    return software / f"classes-{hashlib.sha256(identity).hexdigest()[:12]}.jsa"


def _run_once(launch: Launch, is_ready: Callable[[], bool], log: Path) -> None:
    process = spawn(launch.argv, launch.environment, log)
    try:
        deadline = time.monotonic() + _TRAINING_SECONDS
        while not is_ready():
            if not process.is_alive() or time.monotonic() >= deadline:
                last = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise EngineError(f"{launch.argv[0]} did not get ready:\n{last}")
            time.sleep(_PROBE_SECONDS)
        process.send(signal.SIGTERM)
        process.wait(_TRAINING_SECONDS)
    finally:
        process.send(signal.SIGKILL)
        process.wait(_PROBE_SECONDS * 100)


def _environment() -> Mapping[str, str]:
    # Flags from outside would change heap and archive behind our back.
    unwanted = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}
