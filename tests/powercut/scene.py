"""All stores of a data folder at work, and what must hold of them after any sudden end."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

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

# Checkpoints come every few commits, so that many cuts fall into them.
SMALL = replace(LOG, page_size=4096, checkpoint=60, background=20, restart=400)


PATIENCE = 60.0
"""Seconds to wait for a lock: a cut is checked while whoever met it holds his."""


class QuietDisk(RealDisk):
    """A disk that is not waited for."""

    def sync_folder(self, path: str) -> None:
        pass


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
        self.file = SqliteFile(folder / "log.db", SMALL, vfs=vfs, busy_timeout=PATIENCE)
        self.log = SqliteLog(self.file, lambda: 5, SocketWake(run))
        self.keys = SqliteKeys(folder / "keys.db", vfs=vfs, sync=sync, busy_timeout=PATIENCE)
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
    parts = [part(rng.randrange(100), 20) for _ in range(rng.choice([0, 0, 1, 2]))]
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
            position = self.log.committed("inbound", MAIL_RECEIVED)
            reader = self.log.reader(MAIL_RECEIVED, position)
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
    # Nothing more is cut here, and real syncs would take most of the time.
    store = Store(folder, run, disk=QuietDisk())
    try:
        store.file.connection.pragma("synchronous", "off")
        store.keys.file.connection.pragma("synchronous", "off")
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
