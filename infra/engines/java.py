"""Java on this machine: which installations there are, and one that is new enough."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.engines import debian
from infra.engines.engine import EngineError

INSTALLED_BELOW = (Path("/usr/lib/jvm"), Path("/opt/java"))
# "17.0.15", "21", "25-ea", and "1.8.0_402" for Java 8.
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


@dataclass(frozen=True, slots=True)
class Java:
    """One installation: its folder, feature version, and the full text of `java -version`."""

    home: Path
    feature: int
    description: str

    @property
    def executable(self) -> Path:
        """The launcher."""
        return self.home / "bin/java"


def java_for(minimum: int, environment: Mapping[str, str]) -> Java:
    """An installation of at least the feature version `minimum`, installed when there is none.

    JAVA_HOME and then the `java` on PATH are taken when they are new enough; of the others the
    oldest that is, since that is nearest to what the engine was tested with. Raises EngineError.
    """
    found = _choose(minimum, environment)
    if found is None:
        debian.install(["default-jre-headless"], f"Java {minimum}")
        found = _choose(minimum, environment)
    if found is None:
        raise EngineError(
            f"no Java {minimum} or newer: the one of this system is older; install one and set "
            "JAVA_HOME to it"
        )
    return found


def _choose(minimum: int, environment: Mapping[str, str]) -> Java | None:
    for home in _preferred(environment):
        java = installation(home)
        if java is not None and java.feature >= minimum:
            return java
    others = (installation(home) for home in _others())
    fitting = [java for java in others if java is not None and java.feature >= minimum]
    return min(fitting, key=lambda java: (java.feature, str(java.home)), default=None)


def _preferred(environment: Mapping[str, str]) -> Iterator[Path]:
    named = environment.get("JAVA_HOME")
    if named:
        yield Path(named)
    on_path = shutil.which("java", path=environment.get("PATH"))
    if on_path is not None:
        # Through the links of /etc/alternatives to the installation itself.
        yield Path(on_path).resolve().parent.parent


def _others() -> Iterator[Path]:
    for folder in INSTALLED_BELOW:
        if folder.is_dir():
            yield from sorted({child.resolve() for child in folder.iterdir() if child.is_dir()})


def installation(home: Path) -> Java | None:
    """What is installed in a folder; None when it has no `java` that runs."""
    executable = home / "bin/java"
    if not executable.is_file():
        return None
    try:
        done = subprocess.run(
            [str(executable), "-version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(done.stdout)
    if done.returncode != 0 or version is None:
        return None
    return Java(home, int(version[1]), done.stdout)
