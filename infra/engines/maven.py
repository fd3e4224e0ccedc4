"""Jars from a Maven repository, with all that they depend on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from infra.engines import debian
from infra.engines.engine import EngineError
from infra.engines.java import Java
from infra.locks import locked

_FETCH_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Artifact:
    """Coordinates of a jar."""

    group: str
    name: str
    version: str


def copy_jars(artifacts: Sequence[Artifact], lib: Path, cache: Path, java: Java) -> None:
    """Put the artifacts and their runtime dependencies into the folder `lib`.

    Installs Maven when it is absent. Raises EngineError with Maven's own last words.
    """
    maven = shutil.which("mvn")
    if maven is None:
        debian.install(["maven"], "Maven")
        maven = shutil.which("mvn")
    if maven is None:
        raise EngineError("Maven was installed and yet there is no mvn on PATH")
    lib.mkdir(parents=True)
    pom = lib.parent / "pom.xml"
    pom.write_text(_pom(artifacts), encoding="utf-8")
    command = [
        *(maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"),
        *(f"-DoutputDirectory={lib}", "-DincludeScope=runtime"),
    ]
    # Two Mavens that fill one local repository at once can see each other's half files.
    with locked(cache / "maven.lock", _FETCH_SECONDS):
        _run(command, java)
    if not any(lib.glob("*.jar")):
        raise EngineError(f"Maven fetched no jar for {artifacts[0].name} {artifacts[0].version}")


def _run(command: list[str], java: Java) -> None:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "JAVA_HOME": str(java.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError("Maven took more than 10 minutes: check the network") from None
    if done.returncode != 0:
        errors = [line for line in done.stdout.splitlines() if "ERROR" in line]
        raise EngineError(f"Maven failed: {errors[0] if errors else done.stdout[-300:]}")


def _pom(artifacts: Sequence[Artifact]) -> str:
    dependencies = "".join(
        f"<dependency><groupId>{escape(each.group)}</groupId>"
        f"<artifactId>{escape(each.name)}</artifactId>"
        f"<version>{escape(each.version)}</version></dependency>"
        for each in artifacts
    )
    return (
        "<project><modelVersion>4.0.0</modelVersion>"
        "<groupId>mailfold</groupId><artifactId>engine</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    )
