from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.intake import GroupIntake
from infra.parts.files import FileParts
from infra.ports import EngineDown, Output
from infra.sqlite.connection import LOG
from infra.sqlite.file import SqliteFile
from infra.sqlite.keys import SqliteKeys
from infra.sqlite.log import SqliteLog
from infra.sqlite.references import SqliteReferences
from infra.sqlite.wake import SocketWake
from schemas.topics import MAIL_RECEIVED
from tests.contracts.intake import IntakeContract, arrival
from tests.contracts.log import mail_id, read_rest


class Log(SqliteLog):
    """A log that can be held up and broken."""

    def __init__(self, file: SqliteFile, wake: SocketWake) -> None:
        super().__init__(file, lambda: 5, wake)
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None
        self.batches: list[int] = []

    def append(self, outputs: Sequence[Output]) -> None:
        self.open.wait()
        self.batches.append(len(outputs))
        if self.error:
            raise self.error
        super().append(outputs)


class Parts(FileParts):
    """Parts of which some are refused."""

    refused: str = ""

    def put(self, mail_id: str, parts: Mapping[bytes, bytes]) -> None:
        if mail_id == self.refused:
            raise EngineDown("parts: No space left on device")
        super().put(mail_id, parts)


@dataclass
class Bench:
    intake: GroupIntake
    parts: Parts
    keys: SqliteKeys
    log: Log


@pytest.fixture
def stores(tmp_path: Path) -> Generator[Bench]:
    file = SqliteFile(tmp_path / "log.db", LOG)
    log = Log(file, SocketWake(tmp_path / "run"))
    keys = SqliteKeys(tmp_path / "keys.db")
    parts = Parts(tmp_path / "parts", SqliteReferences(file))
    intake = GroupIntake(parts, keys, log)
    yield Bench(intake, parts, keys, log)
    log.open.set()
    intake.close()
    keys.close()
    file.close()


class TestGroupIntakeOnSqlite(IntakeContract):
    @pytest.fixture
    def stores(self, stores: Bench) -> Bench:
        return stores


async def accept_all(stores: Bench, numbers: Sequence[int]) -> list[type]:
    waiting = [asyncio.ensure_future(stores.intake.accept(arrival(n))) for n in numbers]
    await asyncio.sleep(0)
    stores.log.open.set()
    return [type(r) for r in await asyncio.gather(*waiting, return_exceptions=True)]


def test_sessions_that_wait_together_are_committed_together(stores: Bench) -> None:
    stores.log.open.clear()
    assert asyncio.run(accept_all(stores, range(150))) == [type(None)] * 150
    # The first came alone or with few; all others waited for it.
    assert len(stores.log.batches) <= 3


def test_a_batch_is_bounded(stores: Bench) -> None:
    stores.log.open.clear()
    assert asyncio.run(accept_all(stores, range(500))) == [type(None)] * 500
    assert max(stores.log.batches) <= 200


def test_when_the_log_is_down_every_session_is_told_and_later_ones_are_accepted(
    stores: Bench,
) -> None:
    stores.log.open.clear()
    stores.log.error = EngineDown("log.db: FullError")
    assert asyncio.run(accept_all(stores, range(30))) == [EngineDown] * 30
    assert read_rest(stores.log, MAIL_RECEIVED, {}) == []
    stores.log.error = None
    assert asyncio.run(accept_all(stores, range(30))) == [type(None)] * 30
    assert len(read_rest(stores.log, MAIL_RECEIVED, {})) == 30


def test_a_mail_whose_parts_are_refused_is_refused_alone(stores: Bench) -> None:
    stores.log.open.clear()
    stores.parts.refused = mail_id(3)
    expected = [EngineDown if n == 3 else type(None) for n in range(6)]
    assert asyncio.run(accept_all(stores, range(6))) == expected
    assert len(read_rest(stores.log, MAIL_RECEIVED, {})) == 5


def test_a_session_that_is_gone_does_not_stop_the_others(stores: Bench) -> None:
    async def sessions() -> None:
        stores.log.open.clear()
        gone = asyncio.ensure_future(stores.intake.accept(arrival(1)))
        stays = asyncio.ensure_future(stores.intake.accept(arrival(2)))
        await asyncio.sleep(0)
        gone.cancel()
        stores.log.open.set()
        await stays
        assert gone.cancelled() or gone.done()

    asyncio.run(sessions())
    assert mail_id(2) in {r.key for r in read_rest(stores.log, MAIL_RECEIVED, {})}


def test_a_loop_that_is_closed_does_not_stop_the_intake(stores: Bench) -> None:
    stores.log.open.clear()

    async def leave() -> None:
        waiting = asyncio.ensure_future(stores.intake.accept(arrival(1)))
        await asyncio.sleep(0.01)
        waiting.cancel()

    asyncio.run(leave())
    stores.log.open.set()
    asyncio.run(stores.intake.accept(arrival(2)))
    assert mail_id(2) in {r.key for r in read_rest(stores.log, MAIL_RECEIVED, {})}


def test_parts_come_before_keys_and_keys_before_the_log(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "log.db", LOG)
    log = Log(file, SocketWake(tmp_path / "run"))
    keys = SqliteKeys(tmp_path / "keys.db")
    parts = Parts(tmp_path / "parts", SqliteReferences(file))
    new = arrival(7, with_parts=2)
    seen: list[tuple[str, int, int, int]] = []

    def checkpoint(point: str) -> None:
        files = sum(p.is_file() for p in (tmp_path / "parts").rglob("*"))
        seen.append(
            (point, files, len(keys.get([new.mail_id])), len(read_rest(log, MAIL_RECEIVED, {})))
        )

    intake = GroupIntake(parts, keys, log, checkpoint)
    asyncio.run(intake.accept(new))
    intake.close()
    keys.close()
    file.close()
    count = len(new.parts)
    assert seen == [
        ("intake.taken", 0, 0, 0),
        ("intake.parts", count, 0, 0),
        ("intake.keys", count, 1, 0),
        ("intake.received", count, 1, 1),
    ]
