"""What an App does with its events, so that none is lost.

Faust loses events silently when an exception leaves an agent: `async for` acks the event that
failed, `take` the whole batch. So nothing leaves it here: an engine that is down is tried again in
place, a record that can't be processed becomes a dead letter (see `turn`), and what should be
impossible ends the process without a farewell. All events of a batch are acked together, after
outputs and state are durable, which is what the transport's commits rely on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import faust
from faust.types import TP, Message

from infra.ports import Checkpoint, EngineDown, Fenced, Record
from streams.runners.partition_host import PartitionHost
from streams.runners.ports import FaustLog

BATCH = 500
"""Records taken at once at most."""

WITHIN = 0.05
"""Seconds that a batch waits to be full."""

_RETRY_SECONDS = 1.0
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0


class StageBroken(Exception):
    """A stage did what no stage may do."""


class StageAgent:
    """What an App does with its events."""

    def __init__(
        self,
        app: faust.App,
        host: PartitionHost,
        log: FaustLog,
        checkpoint: Checkpoint,
        committed: Callable[[], None],
        die: Callable[[BaseException], None],
    ) -> None:
        self._app = app
        self._host = host
        self._log = log
        self._checkpoint = checkpoint
        self._committed = committed
        self._die = die
        self._held: frozenset[int] = frozenset()
        # The host is for one thread, and the event loop serves heartbeats meanwhile.
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, f"stage-{host.stage.name}")

    def close(self) -> None:
        """Wait for what is under way."""
        self._thread.shutdown()

    async def on_assigned(self, _app: object, assigned: set[TP], **_: object) -> None:
        """Hear of all partitions that are this member's from now on."""
        # What is under way belongs to the partitions as they were.
        async with self._turn:
            self._held = frozenset(tp.partition for tp in assigned)

    async def consume(self, stream: faust.Stream) -> None:
        """Process batches for ever; the body of the agent."""
        async for events in stream.noack_take(BATCH, within=WITHIN):
            try:
                await self._take(events)
            except BaseException as e:
                if isinstance(e, asyncio.CancelledError) and self._app.should_stop:
                    raise
                # Faust would start the agent again, and commit past what this batch did not ack.
                self._die(e)
                # Whoever outlives that acks nothing any more.
                await asyncio.Event().wait()

    async def retry(self) -> None:
        """Try the dead letters that somebody asked for, for ever."""
        while True:
            await asyncio.sleep(_RETRY_SECONDS)
            try:
                async with self._turn:
                    await self._in_thread(self._retry_once)
            except EngineDown:
                continue
            except asyncio.CancelledError:
                raise
            except BaseException as e:  # noqa: BLE001 (as in `consume`)
                self._die(e)
                return

    async def _take(self, events: Sequence[faust.Event]) -> None:
        """Process a batch until it is done or not ours any more, and ack it."""
        delay = _FIRST_PAUSE
        while ours := self._current(events):
            batch = [self._record(e.message) for e in ours]
            try:
                async with self._turn:
                    # A rebalance may have come while this waited for its turn.
                    if ours != self._current(events):
                        continue
                    await self._in_thread(lambda batch=batch: self._process(batch))
            except EngineDown:
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_PAUSE)
            except Fenced:
                # Another has the partition; that is as it should be when the group gave it away.
                if ours == self._current(events):
                    raise
            else:
                for event in ours if ours == self._current(events) else ():
                    event.ack()
                self._checkpoint(f"{self._host.stage.name}.committed")
                self._committed()
                return

    def _current(self, events: Sequence[faust.Event]) -> Sequence[faust.Event]:
        """Return the events that were fetched since the last rebalance.

        Those from before it are fetched again, by us or by another, from the committed offset.
        """
        generation = self._app.consumer_generation_id
        return [
            e
            for e in events
            if e.message.generation_id == generation and e.message.partition in self._held
        ]

    def _record(self, message: Message) -> Record:
        return self._log.received(
            self._host.stage.source,
            message.partition,
            message.offset,
            message.key,
            message.value,
            message.headers,
            round(message.timestamp * 1000),
        )

    async def _in_thread(self, call: Callable[[], None]) -> None:
        """Run `call` in the host's thread. Raises what it raises, but StageBroken for cancellation.

        A CancelledError that comes from a stage must not look like one of this task.
        """

        def caught() -> BaseException | None:
            try:
                call()
            except BaseException as e:  # noqa: BLE001 (raised below)
                return e
            return None

        error = await asyncio.get_running_loop().run_in_executor(self._thread, caught)
        if isinstance(error, asyncio.CancelledError):
            raise StageBroken("a stage was cancelled from within") from error
        if error is not None:
            raise error

    # -- in the thread

    def _process(self, batch: Sequence[Record]) -> None:
        self._host.hold(self._held)
        self._host.process(batch)

    def _retry_once(self) -> None:
        self._host.hold(self._held)
        if self._host.retry():
            self._committed()
