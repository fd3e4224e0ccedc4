"""What the fault tests run against: one installation a profile, each used from outside only."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.barrier import VARIABLE
from mailfold.roles import ROLES, processes
from mailfold.settings import load
from streams.topology import PROJECTIONS, STAGES
from tests.system import System

STAGE_POINTS = ("planned", "settled", "outputs", "state", "position", "committed")
VIEW_POINTS = ("read", "begun", "rows", "position", "committed", "told")
CHAINS: tuple[tuple[str, ...], ...] = (
    ("intake.taken", "intake.parts", "intake.keys", "intake.received"),
    *(tuple(f"{s.name}.{p}" for p in STAGE_POINTS) for s in STAGES),
    *(tuple(f"{v.name}-view.{p}" for p in VIEW_POINTS) for v in PROJECTIONS),
)
"""The points at which a process can be held, in the order in which one does its work."""


@dataclass(frozen=True)
class Profile:
    """One way to run the house."""

    name: str
    environment: Callable[[pytest.FixtureRequest], Mapping[str, str]]


def _on_kafka(runner: str) -> Callable[[pytest.FixtureRequest], Mapping[str, str]]:
    def environment(request: pytest.FixtureRequest) -> Mapping[str, str]:
        return {
            "MAILFOLD_PROFILE": "cluster",
            "MAILFOLD_RUNNER": runner,
            "MAILFOLD_KAFKA": request.getfixturevalue("kafka"),
            "MAILFOLD_PARTITIONS": "4",
        }

    return environment


EMBEDDED = Profile("embedded", lambda _: {})
FAUST = Profile("cluster-faust", _on_kafka("faust"))
CONSUMER = Profile("cluster-consumer", _on_kafka("consumer"))


def on(*profiles: Profile) -> pytest.MarkDecorator:
    """Run a test on these profiles; those on Kafka only where there is one (engine)."""
    return pytest.mark.parametrize(
        "profile",
        [
            pytest.param(p, id=p.name, marks=() if p is EMBEDDED else pytest.mark.engine)
            for p in profiles
        ],
        indirect=True,
    )


class Installations:
    """Makes installations of one profile in a folder, and stops them at the end."""

    def __init__(self, profile: Profile, folder: Path, environment: Mapping[str, str]) -> None:
        self.profile = profile
        self._folder = folder
        self._environment = environment
        self._made: list[System] = []

    def __call__(self, *accounts: str, **environment: str) -> System:
        """Return a new installation with accounts, not started."""
        data = self._folder / f"data-{uuid.uuid4().hex[:8]}"
        barrier = data.with_name(f"{data.name}-barrier")
        barrier.mkdir()
        fresh = {VARIABLE: str(barrier), "MAILFOLD_TOPIC_PREFIX": f"{data.name}."}
        made = System(data, {**self._environment, **fresh, **environment})
        self._made.append(made)
        for name in accounts:
            made.add_account(name)
        return made

    def stop(self) -> None:
        """Stop all that runs."""
        for made in self._made:
            if made.process is not None:
                for held in barrier_of(made).iterdir():
                    held.unlink()
                made.stop()


def barrier_of(system: System) -> Path:
    """Return the folder in which points are asked for."""
    return Path(system.environment[VARIABLE])


def processes_of(system: System) -> tuple[str, ...]:
    """Return the names of the processes that serve an installation."""
    profile = system.environment.get("MAILFOLD_PROFILE")
    return tuple(process.name for process in processes(ROLES, load(profile=profile)))


def log_of(system: System) -> str:
    """Return what the installation has written to stderr so far."""
    return (system.data.parent / f"{system.data.name}.log").read_text(errors="replace")
