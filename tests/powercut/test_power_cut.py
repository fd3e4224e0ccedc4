"""The power goes at random points while mail is taken in, processed and forgotten.

What got its answer is there afterwards: Received, key, parts. What did not is whole or absent. A
key whose destruction was confirmed is on the disk no more.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from infra.intake import GroupIntake
from infra.parts.files import FileParts, RealDisk
from infra.ports import Arrival, Content, Output, Record
from infra.sqlite.connection import LOG
from infra.sqlite.content import InLog, SqliteContent
from infra.sqlite.file import SqliteFile
from infra.sqlite.keys import SqliteKeys, sync_file
from infra.sqlite.log import SqliteLog
from infra.sqlite.references import SqliteReferences
from infra.sqlite.wake import SocketWake
from schemas.identity import event_id
from schemas.topics import MAIL_RECEIVED, MAIL_SCORED
from tests.contracts.log import mail_id, read_rest
from tests.contracts.parts import part
from tests.powercut.platter import Loss, Platter
from tests.powercut.shim import CutDisk, CutVFS

CUTS = 200
SESSIONS = 12
ONE_IN = 12
"""Operations between two cuts, on average."""

# Checkpoints come every few commits, so that many cuts fall into them.
SMALL = replace(LOG, page_size=4096, checkpoint=60, background=20, restart=400)


class Store:
    """All stores of one data folder."""

    def __init__(
        self,
        folder: Path,
        run: Path,
        vfs: str | None = None,
        disk: RealDisk | None = None,
        sync: Callable[[Path], None] = sync_file,
    ) -> None:
        self.file = SqliteFile(folder / "log.db", SMALL, vfs=vfs)
        self.log = SqliteLog(self.file, lambda: 5, SocketWake(run))
        self.keys = SqliteKeys(folder / "keys.db", vfs=vfs, sync=sync)
        self.parts = FileParts(folder / "parts", SqliteReferences(self.file), disk)
        self.content = SqliteContent(InLog(self.log))

    def close(self) -> None:
        self.keys.close()
        self.file.close()


@dataclass
class Told:
    """What somebody outside was told so far."""

    accepted: list[Arrival] = field(default_factory=list[Arrival])
    destroying: list[str] = field(default_factory=list[str])
    destroyed: list[bytes] = field(default_factory=list[bytes])

    def now(self) -> Told:
        return Told(self.accepted[:], self.destroying[:], self.destroyed[:])


def arrival(n: int, rng: random.Random) -> Arrival:
    value = rng.randbytes(rng.choice([50, 1500, 6000]))
    parts = [part(rng.randrange(50), 20) for _ in range(rng.choice([0, 0, 1, 2]))]
    received = Output(MAIL_RECEIVED, mail_id(n), "Received", event_id(mail_id(n), "r"), value)
    return Arrival(received, mail_id(n), rng.randbytes(32), dict(parts))


class Pipeline:
    """Scores what comes in: outputs, content and position in one transaction, as a stage does."""

    def __init__(self, store: Store) -> None:
        self.log = store.log
        self.content = store.content
        self.stopping = threading.Event()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self.run, name="pipeline")
        self.thread.start()

    def run(self) -> None:
        try:
            reader = self.log.reader(MAIL_RECEIVED, {})
            while not self.stopping.is_set():
                batch = reader.poll(10, 0.05)
                if batch:
                    self.commit(batch)
            reader.close()
        except BaseException as e:  # noqa: BLE001 (the test raises it)
            self.error = e

    def commit(self, batch: Sequence[Record]) -> None:
        with self.log.transaction() as tx:
            self.content.put({r.key: Content(r, b"a", b"s", b"d") for r in batch})
            tx.append(
                [
                    Output(MAIL_SCORED, r.key, "Scored", event_id(r.event_id, "s"), b"scored")
                    for r in batch
                ]
            )
            tx.commit_position("inbound", MAIL_RECEIVED, {0: batch[-1].offset + 1})

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join()
        if self.error:
            raise self.error


def check(folder: Path, run: Path, told: Told) -> None:
    """Open what the disk holds, and hold it against what was told."""
    on_disk = b"".join(p.read_bytes() for p in folder.glob("keys.db*"))
    assert not any(key in on_disk for key in told.destroyed), "a destroyed key is on the disk"
    store = Store(folder, run)
    try:
        with store.file.read() as c:
            assert c.execute("pragma integrity_check").get == "ok"
        received = read_rest(store.log, MAIL_RECEIVED, {})
        found = {r.key: r for r in received}
        for a in told.accepted:
            assert found[a.mail_id].value == a.received.value
            if a.mail_id not in told.destroying:
                assert store.keys.get([a.mail_id]) == {a.mail_id: a.key}
            for name, data in a.parts.items():
                assert store.parts.get(name) == data
        assert [r.offset for r in received] == list(range(len(received)))
        sealed = [r.key for r in received if r.key not in told.destroying]
        assert len(store.keys.get(sealed)) == len(sealed), "a Received has no key"
        scored = read_rest(store.log, MAIL_SCORED, {})
        position = store.log.committed("inbound", MAIL_RECEIVED).get(0, 0)
        assert [r.key for r in scored] == [r.key for r in received[:position]]
        assert set(store.content.get(list(found))) == {r.key for r in scored}
    finally:
        store.close()


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
def vfs(tmp_path: Path) -> Generator[tuple[str, Cuts]]:
    seed = 20
    data = tmp_path / "data"
    data.mkdir()
    cuts = Cuts(tmp_path, tmp_path / "run", random.Random(seed))
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
    operations = {operation for operation, _ in cuts.made}
    assert operations >= {"wal write", "wal sync", "db write", "part write", "folder sync"}
