"""Faust's way from the broker to an agent, made fit for stages.

Three things differ from the transport that Faust brings (these are its private methods, so the
versions of faust-streaming and aiokafka are pinned exactly):

- Only committed records are read. Faust reads aborted ones too unless it runs the
  transactions itself, and the outputs of a stage are transactions of its own producer.
- A message is handed over by awaiting it, not by making two tasks of it, which is most of
  what a message costs.
- A message is handed over only when it is taken at once. Faust leaves behind a task for each
  one that finds the buffer full; it puts its message after a rebalance, behind newer ones.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, cast

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import faust
    from aiokafka import AIOKafkaConsumer
    from faust.transport.consumer import RecordMap
    from faust.types import TP, Message
    from faust.types.transports import ConsumerT
    from mode import ServiceT

# A full buffer empties in the time that a stage takes for a batch.
_FULL_SECONDS = 0.01
_FETCH_SECONDS = 1.0
# The event loop serves heartbeats and other stages at least every so many messages.
_YIELD_EVERY = 100


class CommittedConsumerThread(AIOKafkaConsumerThread):
    """The thread that holds the client, which reads committed records only."""

    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        client = super()._create_worker_consumer(transport)
        # Read when the client starts, which comes later; Faust has no setting for it.
        client._isolation_level = "read_committed"  # pyright: ignore[reportPrivateUsage]
        return client


class StageConsumer(Consumer):
    """The consumer of one App, which hands messages over in their order, never late."""

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return CommittedConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """Hand over messages until the consumer or the fetcher stops."""
        app = self.transport.app
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._drain_batch()
        except (*self.consumer_stopped_errors, asyncio.CancelledError):
            if not app.should_stop:
                raise

    async def _drain_batch(self) -> None:
        app = self.transport.app
        generation = app.consumer_generation_id
        since_yield = 0
        batch = cast("AsyncIterator[tuple[TP, Message]]", self.getmany(timeout=_FETCH_SECONDS))
        async for tp, message in batch:
            since_yield += 1
            if since_yield >= _YIELD_EVERY:
                await asyncio.sleep(0)
                since_yield = 0
            read = self._read_offset[tp]
            if read is not None and message.offset < read:
                continue
            # Offsets that are no messages: transaction markers, and records that were aborted.
            if read and message.offset - read > 1 and app.topics.acks_enabled_for(message.topic):
                await self._add_gap(tp, read + 1, message.offset)
            while not self._takes(tp):
                await asyncio.sleep(_FULL_SECONDS)
                # A rebalance came: what was fetched before it is fetched again after it, from
                # the committed offset, and must not be handed over now.
                if not self.flow_active or generation != app.consumer_generation_id:
                    return
            if not self.flow_active or generation != app.consumer_generation_id:
                return
            await self.callback(message)
            self._read_offset[tp] = message.offset

    def _takes(self, tp: TP) -> bool:
        """Whether every stream of this partition takes a message without waiting."""
        app = self.transport.app
        topics = app.topics._tp_index[tp]  # pyright: ignore
        return app.flow_control.is_active() and not any(t.queue.full() for t in topics)

    async def _wait_next_records(self, timeout: float) -> tuple[RecordMap | None, set[TP] | None]:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        try:
            self.not_waiting_next_records.set()
            active = self._get_active_partitions()
            if active:
                return await self._getmany(active, timeout), active
            # All buffers are full (or nothing is assigned); Faust looks again after 1 s.
            await self.sleep(_FULL_SECONDS)
            return {}, active
        finally:
            self.not_waiting_next_records.set()


class StageTransport(Transport):
    """The transport of an App that hosts a stage or a projection."""

    Consumer: ClassVar[type[ConsumerT]] = StageConsumer


def install(app: faust.App) -> None:
    """Make `app` use this transport; called before it is started."""
    app.transport = StageTransport(app.conf.broker_consumer, app)
