"""The power goes at random points while mail is taken in, processed and forgotten.

What got its answer is there afterwards: Received, key, parts. What did not is whole or absent. A
key whose destruction was confirmed is on the disk no more.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from infra.intake import GroupIntake
from tests.powercut.platter import Loss, Platter
from tests.powercut.scene import Pipeline, Store, Told, arrival, check
from tests.powercut.shim import CutDisk, CutVFS

CUTS = 200
SESSIONS = 12
ONE_IN = 12
"""Operations between two cuts, on average."""


class Cuts:
    """Cuts the power now and then, and checks what is left each time."""

    def __init__(self, folder: Path, run: Path, rng: random.Random) -> None:
        self.told = Told()
        self.made: Counter[tuple[str, Loss]] = Counter()
        self.error: BaseException | None = None
        self._folder = folder
        self._run = run
        self._rng = rng
        self.platter: Platter | None = None
        self._checking = False

    def __call__(self, operation: str) -> None:
        if self._checking or self.error or self._rng.randrange(ONE_IN) or self.platter is None:
            return
        loss: Loss = self._rng.choice(("all", "some", "some", "none"))
        image = self._folder / "image"
        told = self.told.now()
        self.platter.save(str(image), loss, self._rng)
        if loss == "some":
            # Shared memory is not synced at all: whatever it holds, SQLite must not believe it.
            for name in ("log.db", "keys.db"):
                if (image / name).exists():
                    (image / f"{name}-shm").write_bytes(self._rng.randbytes(32768))
        try:
            check(image, self._run, told)
        except BaseException as e:  # noqa: BLE001 (the test raises it)
            e.add_note(f"power cut before {operation}, unsynced lost: {loss}")
            self.error = e
        shutil.rmtree(image)
        self.made[operation, loss] += 1

    @property
    def enough(self) -> bool:
        return self.error is not None or self.made.total() >= CUTS


async def send(store: Store, intake: GroupIntake, cuts: Cuts, seed: int) -> None:
    """Mail comes in over sessions, until the power was cut often enough."""
    numbers = iter(range(1_000_000))

    async def session(s: int) -> None:
        rng = random.Random(seed * 1000 + s)
        while not cuts.enough:
            a = arrival(next(numbers), rng)
            await intake.accept(a)
            cuts.told.accepted.append(a)
            if rng.random() < 0.1:
                cuts.told.destroying.append(a.mail_id)
                await asyncio.to_thread(store.keys.destroy, [a.mail_id])
                cuts.told.destroyed.append(a.key)

    await asyncio.gather(*(session(s) for s in range(SESSIONS)))


@pytest.fixture
def images(tmp_path: Path) -> Generator[Path]:
    """Where images are made and removed by the hundred: in memory where the machine has that."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def vfs(tmp_path: Path, images: Path) -> Generator[tuple[str, Cuts]]:
    seed = 20
    data = tmp_path / "data"
    data.mkdir()
    cuts = Cuts(images, tmp_path / "run", random.Random(seed))
    platter = cuts.platter = Platter(str(data), cuts)
    name = f"cut-{tmp_path.name}"
    shim = CutVFS(name, platter)
    yield name, cuts
    shim.unregister()


def test_what_was_answered_survives_a_power_cut(tmp_path: Path, vfs: tuple[str, Cuts]) -> None:
    name, cuts = vfs
    assert cuts.platter is not None
    platter = cuts.platter
    store = Store(
        tmp_path / "data",
        tmp_path / "run",
        name,
        CutDisk(platter),
        lambda path: platter.sync_path(str(path)),
    )
    pipeline = Pipeline(store)
    intake = GroupIntake(store.parts, store.keys, store.log)
    asyncio.run(send(store, intake, cuts, 20))
    intake.close()
    pipeline.stop()
    store.close()
    if cuts.error:
        raise cuts.error
    assert cuts.made.total() >= CUTS
    # The cuts fell where they hurt.
    where = {operation.split()[0] for operation, _ in cuts.made}
    assert where >= {"wal", "db", "part", "folder"}
