"""The outbound stage on a log in a file, with a clock, a courier and a packer that tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infra.ports import EngineDown, EventLog, Output, Parcel, Receipt
from infra.sqlite.connection import LOG, VIEWS
from infra.sqlite.file import SqliteFile
from infra.sqlite.log import SqliteLog
from infra.sqlite.wake import SocketWake
from schemas.events import Attempted, MailEvent, Submitted
from schemas.identity import derived, submission_id
from schemas.parts import SubmittedSecret
from schemas.seal import seal
from schemas.topics import MAIL_ATTEMPTED, MAIL_SUBMITTED
from streams.outbound.decide import Judge
from streams.outbound.dispatch import Bounds, Dispatcher
from streams.outbound.follow import Follower
from streams.outbound.post import Packed
from streams.outbound.schedule import Schedule
from streams.outbound.sqlite import SqliteQueue
from tests.fakes import FakeClock, FakeRandom

KEY = b"k" * 32
DAY = 86_400_000_000
TAKEN = Receipt(taken=True, permanent=True, code=250, enhanced="2.0.0", host="mx.there.test")
LATER = Receipt(taken=False, permanent=False, code=451, enhanced="4.3.0", reason="reply")
NEVER = Receipt(taken=False, permanent=True, code=550, enhanced="5.1.1", reason="reply")


class FakeCourier:
    """Answers with `receipts` by submission, then TAKEN; waits at `gate` while it is shut."""

    def __init__(self) -> None:
        self.receipts: dict[str, list[Receipt]] = {}
        self.sent: list[str] = []
        self.open = 0
        self.most: dict[str, int] = {}
        self.gate: asyncio.Event | None = None

    async def deliver(self, parcel: Parcel) -> Receipt:
        self.open += 1
        self.most[parcel.domain] = max(self.most.get(parcel.domain, 0), self.open)
        if self.gate is not None:
            await self.gate.wait()
        self.open -= 1
        self.sent.append(parcel.id)
        left = self.receipts.get(parcel.id)
        return left.pop(0) if left else TAKEN


class FakePacker:
    """Packs anything, or raises what a test wants of a submission."""

    def __init__(self) -> None:
        self.raises: dict[str, Exception] = {}

    def pack(self, submitted: Submitted) -> Packed:
        trouble = self.raises.get(submitted.event_id)
        if trouble is not None:
            raise trouble
        parcel = Parcel(
            id=submitted.event_id,
            reverse_path="",
            forward_path="bob@there.test",
            domain=submitted.target_domain,
            message=b"x",
            utf8=False,
            eight_bit=False,
        )
        secret = SubmittedSecret(
            reverse_path="ann@sender.test", forward_path="bob@there.test", alias="team@example.test"
        )
        return Packed(parcel, secret, KEY, "none")


class FlakyLog:
    """A log whose appends fail as often as a test wants."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.failures = 0

    def append(self, outputs: Sequence[Output]) -> None:
        if self.failures:
            self.failures -= 1
            raise EngineDown("log")
        self._log.append(outputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


class Rig:
    """One log and one queue; `open_queue` opens further ones on it."""

    def __init__(self, folder: Path, **bounds: Any) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self._closers: list[Callable[[], None]] = []
        file = SqliteFile(folder / "log.db", LOG)
        wake = SocketWake(folder / "run")
        self._closers += [wake.close, file.close]
        self.log: Any = FlakyLog(SqliteLog(file, self.clock, wake))
        self.queue, self.follower = self.open_queue("outbound.db")
        self.courier = FakeCourier()
        self.packer = FakePacker()
        self.judge = Judge(
            schedule=Schedule((60.0, 300.0), 3600.0), hold=7 * DAY, random=FakeRandom()
        )
        self.dispatcher = Dispatcher(
            self.log,
            self.queue,
            self.follower,
            lambda: self.packer,
            lambda: self.courier,
            self.judge,
            self.clock,
            bounds=Bounds(**bounds),
        )
        self._serial = 0

    def open_queue(self, name: str) -> tuple[SqliteQueue, Follower]:
        file = SqliteFile(self.folder / name, VIEWS)
        queue = SqliteQueue(file.write, file.read)
        follower = Follower(self.log, queue)
        self._closers += [file.close, follower.close]
        return queue, follower

    def close(self) -> None:
        while self._closers:
            self._closers.pop()()

    def submitted(self, domain: str = "there.test", **given: Any) -> Submitted:
        """Return a submission of a mail of its own."""
        self._serial += 1
        mail_id = derived("outbound", str(self._serial))
        identity = submission_id(mail_id, 0)
        fields: dict[str, Any] = {
            "event_id": identity,
            "mail_id": mail_id,
            "occurred_at": self.clock.now,
            "reason": "forward",
            "via_domain": "example.test",
            "sender_domain": "sender.test",
            "target_domain": domain,
            "size": 1,
            "bounceable": True,
            "sealed": seal(
                SubmittedSecret(reverse_path="", forward_path=""), KEY, identity, FakeRandom()
            ),
            **given,
        }
        return Submitted(**fields)

    def submit(self, domain: str = "there.test", **given: Any) -> str:
        """Submit a mail; return its submission."""
        event = self.submitted(domain, **given)
        self.append(event)
        return event.event_id

    def append(self, *events: MailEvent) -> None:
        self.log.append([Output.of(e) for e in events])

    def work(self) -> None:
        """Run until nothing is due and nothing under way."""

        async def run() -> None:
            while await self.dispatcher.turn() or self.queue.due(self.clock.now, (), (), 1):
                await asyncio.sleep(0.001)

        asyncio.run(run())

    def attempts(self, submission: str) -> list[Attempted]:
        return [e for e in self.events(MAIL_ATTEMPTED) if e.submission_id == submission]

    def bounces(self) -> list[Submitted]:
        return [e for e in self.events(MAIL_SUBMITTED) if e.reason == "bounce"]

    def events(self, topic: str) -> list[Any]:
        reader = self.log.reader(topic, {})
        try:
            return [r.decode() for r in reader.poll(10_000, 0)]
        finally:
            reader.close()
