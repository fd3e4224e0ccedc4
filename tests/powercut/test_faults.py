"""Every kind of write and sync fails now and then: nobody is told what is not so."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import apsw
import pytest

from infra.intake import GroupIntake
from infra.ports import EngineDown
from tests.powercut.platter import Platter
from tests.powercut.scene import Store, Told, arrival, check
from tests.powercut.shim import CutDisk, CutVFS

FAULTS = 200
SESSIONS = 8
ONE_IN = 20
"""Operations between two faults, on average."""


class Faults:
    """Fails an operation now and then, as a bad or a full disk does."""

    def __init__(self, rng: random.Random) -> None:
        self.made: Counter[str] = Counter()
        self.on = False
        self._rng = rng

    def __call__(self, operation: str) -> None:
        if not self.on or self._rng.randrange(ONE_IN):
            return
        self.made[operation] += 1
        if operation.startswith(("part", "folder")):
            raise OSError(self._rng.choice([5, 28]), "fault")
        raise self._rng.choice([apsw.IOError, apsw.FullError])("fault")

    @property
    def enough(self) -> bool:
        return self.made.total() >= FAULTS


@pytest.fixture
def faulty(tmp_path: Path) -> Generator[tuple[Store, Faults, Platter]]:
    faults = Faults(random.Random(5))
    platter = Platter(str(tmp_path / "data"), faults)
    (tmp_path / "data").mkdir()
    shim = CutVFS(f"fault-{tmp_path.name}", platter)
    store = Store(
        tmp_path / "data",
        tmp_path / "run",
        f"fault-{tmp_path.name}",
        CutDisk(platter),
        lambda path: platter.sync_path(str(path)),
    )
    yield store, faults, platter
    store.close()
    shim.unregister()


async def send(intake: GroupIntake, told: Told, faults: Faults) -> int:
    """Send until there were faults enough; return how often a session was told to come again."""
    refused = 0
    numbers = iter(range(1_000_000))

    async def session(s: int) -> None:
        nonlocal refused
        rng = random.Random(s)
        while not faults.enough:
            a = arrival(next(numbers), rng)
            try:
                await intake.accept(a)
                told.accepted.append(a)
            except EngineDown:
                refused += 1

    await asyncio.wait_for(asyncio.gather(*(session(s) for s in range(SESSIONS))), 120)
    return refused


def test_what_was_answered_survives_a_failing_disk(
    tmp_path: Path, faulty: tuple[Store, Faults, Platter]
) -> None:
    store, faults, platter = faulty
    told = Told()
    intake = GroupIntake(store.parts, store.keys, store.log)
    faults.on = True
    assert asyncio.run(send(intake, told, faults)) > 0
    faults.on = False
    last = arrival(1_000_001, random.Random(1))
    asyncio.run(intake.accept(last))
    # Whether the power goes then or not.
    platter.save(str(tmp_path / "image"), "all", random.Random(1))
    intake.close()
    assert told.accepted
    assert set(faults.made) >= {"wal write", "wal sync", "part write", "folder sync"}
    store.close()
    told.accepted.append(last)
    check(tmp_path / "data", tmp_path / "run", told)
    check(tmp_path / "image", tmp_path / "run", told)
