"""Attempts what is due, many at once, and writes down what became of each.

An attempt is recorded when it is over. A process that dies between the host's 250 and the record
will send the mail again: of two evils the one that loses nothing. The window is kept as small as it
can be (one append), as RFC 5321 section 4.5.3.2.6 and RFC 1047 have it for the same window on the
wire, where a reply may be lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.ports import Checkpoint, Clock, Courier, EngineDown, EventLog, Output
from schemas.events import MailEvent, Submitted
from streams.outbound.decide import Judge
from streams.outbound.follow import Follower
from streams.outbound.post import Erased, Packed, Unreadable
from streams.outbound.queue import Item
from streams.outbound.state import QueueStore

logger = logging.getLogger(__name__)

IDLE = 1.0
"""Seconds that the log is waited for at most."""
BUSY = 0.05
"""The same while attempts are under way, whose end makes room for others."""

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is attempted at once."""

    attempts: int = 32
    per_domain: int = 4
    octets: int = 128 * 1024 * 1024
    """Of all mails under way; one alone may be larger."""
    grace: float = 8.0
    """Seconds that attempts have to end when it is time to stop."""


class Packer(Protocol):
    """Makes the mail that leaves; PostRoom does."""

    def pack(self, submitted: Submitted) -> Packed:
        """Return the mail as it leaves now. Raises Erased, Unreadable, EngineDown."""
        ...


class Dispatcher:
    """Runs the queue, in one process of an installation at a time."""

    def __init__(
        self,
        log: EventLog,
        queue: QueueStore,
        follower: Follower,
        packer: Callable[[], Packer],
        courier: Callable[[], Courier],
        judge: Judge,
        clock: Clock,
        checkpoint: Checkpoint = lambda _: None,
        bounds: Bounds = Bounds(),
    ) -> None:
        """`packer` and `courier` are asked for at the first attempt, and at each that follows."""
        self._log = log
        self._queue = queue
        self._follower = follower
        self._packer = packer
        self._courier = courier
        self._judge = judge
        self._clock = clock
        self._checkpoint = checkpoint
        self._bounds = bounds
        self._under_way: dict[str, Item] = {}
        self._recorded: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; then let what is under way come to its end, for a while."""
        pause = _FIRST_PAUSE
        while not stop.is_set():
            try:
                await self.turn(self._wait())
                pause = _FIRST_PAUSE
            except EngineDown:
                await _either(stop, pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._bounds.grace)
        for task in self._tasks:
            task.cancel()
        self._follower.close()

    async def turn(self, wait: float = 0.0) -> int:
        """Fold the log and start what is due; return how many attempts are under way.

        Raises EngineDown.
        """
        # What was recorded before the log is folded is in the queue after it.
        recorded, self._recorded = self._recorded, set()
        try:
            await asyncio.to_thread(self._follower.catch_up, wait)
        except EngineDown:
            self._recorded |= recorded
            raise
        for submission in recorded:
            self._under_way.pop(submission, None)
        for item in await asyncio.to_thread(self._picked):
            self._under_way[item.id] = item
            task = asyncio.create_task(self._attempt(item))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(self._under_way)

    def _wait(self) -> float:
        if self._under_way:
            return BUSY
        now = self._clock()
        at = self._queue.next(now)
        return IDLE if at is None else max(0.0, min(IDLE, (at - now) / 1e6))

    def _picked(self) -> Sequence[Item]:
        b = self._bounds
        domains = Counter(item.submitted.target_domain for item in self._under_way.values())
        octets = sum(item.submitted.size for item in self._under_way.values())
        room = b.attempts - len(self._under_way)
        picked: list[Item] = []
        full = [d for d, n in domains.items() if n >= b.per_domain]
        for item in self._queue.due(self._clock(), list(self._under_way), full, max(0, room)):
            domain, size = item.submitted.target_domain, item.submitted.size
            if domains[domain] >= b.per_domain:
                continue
            if octets and octets + size > b.octets:
                break
            domains[domain] += 1
            octets += size
            picked.append(item)
        return picked

    async def _attempt(self, item: Item) -> None:
        try:
            events = await self._made(item)
        except EngineDown:
            # Nothing was tried: it is as due as before, but not at once.
            await asyncio.sleep(IDLE)
            self._under_way.pop(item.id, None)
            return
        if await self._record([Output.of(e) for e in events]):
            self._recorded.add(item.id)

    async def _made(self, item: Item) -> Sequence[MailEvent]:
        """Attempt a submission and return the events of it. Raises EngineDown."""
        submitted = item.submitted
        if item.state == "held":
            return [self._judge.dropped(item, "suppressed", self._clock())]
        if submitted.suppressed and not item.released:
            return [self._judge.suppressed(item, self._clock())]
        try:
            packed = await asyncio.to_thread(self._packer().pack, submitted)
            self._checkpoint("outbound.packed")
            receipt = await self._courier().deliver(packed.parcel)
            self._checkpoint("outbound.delivered")
            return self._judge.concluded(
                item, packed.secret, packed.key, receipt, packed.arc, self._clock()
            )
        except Erased:
            return [self._judge.dropped(item, "erased", self._clock())]
        except Unreadable as e:
            return [self._judge.postponed(item, e.code, self._clock())]
        except EngineDown:
            raise
        except Exception as e:  # noqa: BLE001 (a defect of one mail must not stop the others)
            logger.error("outbound: %s in sending a mail", type(e).__name__)
            return [self._judge.postponed(item, f"internal:{type(e).__name__}", self._clock())]

    async def _record(self, outputs: Sequence[Output]) -> bool:
        """Append until it is done: what has happened must not be forgotten while we live."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await asyncio.to_thread(self._log.append, outputs)
            except EngineDown:
                if self._stopping:
                    return False
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            self._checkpoint("outbound.recorded")
            return True


async def _either(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
