"""The runner that lets Faust assign partitions, batch and commit. It decides nothing else.

Faust loses events silently when an exception leaves an agent: `async for` acks the event that
failed, `take` the whole batch. So nothing leaves it here: an engine that is down is tried again in
place, a record that can't be processed becomes a dead letter (see `turn`), and what should be
impossible ends the process without a farewell. All events of a batch are acked together, after
outputs and state are durable, which is what the transport's commits rely on.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import faust
from faust.types import TP, Message

from infra.ports import Checkpoint, EngineDown, Fenced, Position, Record
from streams.runners.faust_transport import install
from streams.runners.partition_host import PartitionHost, unwatched
from streams.runners.turn import tell

logger = logging.getLogger(__name__)

BATCH = 500
"""Records taken at once at most."""

WITHIN = 0.05
"""Seconds that a batch waits to be full."""

_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0
_EX_SOFTWARE = 70


class FaustLog(Protocol):
    """What Faust has to know of a log on Kafka, and what it can't do itself."""

    @property
    def servers(self) -> Sequence[str]:
        """Where the brokers are, `host:port`."""
        ...

    def physical(self, name: str) -> str:
        """Return Kafka's name of a topic or group."""
        ...

    def end(self, topic: str) -> Position:
        """Return the position behind the last record. Raises EngineDown."""
        ...

    def received(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, str | bytes | None]] | None,
        timestamp: int,
    ) -> Record:
        """Return what a client received as a record; `timestamp` in milliseconds."""
        ...


@dataclass(frozen=True, slots=True)
class FaustSettings:
    """How an App is made. Durations are seconds."""

    folder: Path
    """Where Faust keeps files, if it ever wants to."""
    instance: str = ""
    """Names a static member (KIP-345), so that a restart moves no partitions."""
    commit_interval: float = 1.0
    session_timeout: float = 10.0
    heartbeat_interval: float = 3.0
    rebalance_timeout: float = 30.0


class StageBroken(Exception):
    """A stage did what no stage may do."""


def end_process(error: BaseException) -> None:
    """End the process at once: what is not acked is read again by whoever takes over."""
    tell("process", error)
    logger.critical("%s; the process ends", type(error).__name__)
    os._exit(_EX_SOFTWARE)


class FaustRunner:
    """Runs one stage as one App, which is one consumer group."""

    def __init__(
        self,
        host: PartitionHost,
        log: FaustLog,
        settings: FaustSettings,
        checkpoint: Checkpoint = unwatched,
        committed: Callable[[], None] = lambda: None,
        die: Callable[[BaseException], None] = end_process,
    ) -> None:
        """`committed` is called after each batch; `die` ends the process."""
        self._host = host
        self._log = log
        self._settings = settings
        self._checkpoint = checkpoint
        self._committed = committed
        self._die = die

    def run(self, stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Run until `stopping()`; waits for the broker first, `pause(seconds)` between tries.

        Raises RuntimeError when Faust gave up.
        """
        while not stopping():
            try:
                # Without a broker Faust would not wait but end.
                self._log.end(self._host.stage.source)
            except EngineDown:
                pause(1.0)
            else:
                asyncio.run(self._serve(stopping))
                return

    def close(self) -> None:
        """Give the partitions back."""
        self._host.release()

    def _app(self) -> faust.App:
        s = self._settings
        s.folder.mkdir(parents=True, exist_ok=True)
        more = {"consumer_group_instance_id": s.instance} if s.instance else {}
        return faust.App(
            self._log.physical(self._host.group),
            broker=";".join(f"kafka://{server}" for server in self._log.servers),
            # It would listen on all addresses, and several Apps on one port.
            web_enabled=False,
            datadir=str(s.folder),
            topic_allow_declare=False,
            topic_disable_leader=True,
            broker_session_timeout=s.session_timeout,
            broker_heartbeat_interval=s.heartbeat_interval,
            broker_rebalance_timeout=s.rebalance_timeout,
            broker_commit_interval=s.commit_interval,
            broker_max_poll_records=BATCH,
            consumer_auto_offset_reset="earliest",
            stream_buffer_maxsize=4096,
            # With it, a stop would wait for ever for what is not acked.
            stream_wait_empty=False,
            processing_guarantee="at_least_once",
            **more,
        )

    async def _serve(self, stopping: Callable[[], bool]) -> None:
        app = self._app()
        agent = _Agent(app, self._host, self._log, self._checkpoint, self._committed, self._die)
        source = app.topic(
            self._log.physical(self._host.stage.source),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )
        app.agent(source, name=self._log.physical(self._host.group))(agent.consume)
        app.on_partitions_assigned.connect(agent.on_assigned)
        app.finalize()
        install(app)
        await app.start()
        retrying = asyncio.create_task(agent.retry())
        try:
            while not (stopping() or app.should_stop):
                await asyncio.sleep(_LOOK_SECONDS)
            if not stopping():
                raise RuntimeError("Faust has stopped")
        finally:
            retrying.cancel()
            await app.stop()
            agent.close()


class _Agent:
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
