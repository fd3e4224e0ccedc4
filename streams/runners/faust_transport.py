"""Faust's way from the broker to an agent, made fit for stages.

Four things differ from the transport that Faust brings (these are its private methods, so the
versions of faust-streaming and aiokafka are pinned exactly):

- Only committed records are read. Faust reads aborted ones too unless it runs the
  transactions itself, and the outputs of a stage are transactions of its own producer.
- What is committed is the offset behind the last message acked. Faust's commits stop for ever at
  an offset that is no message, such as the end of a transaction.
- A message is handed over by awaiting it, not by making two tasks of it, which is most of
  what a message costs.
- A message is handed over only when it is taken at once, so nothing has to be cancelled when a
  rebalance comes; and when all buffers are full, it is looked again after 10 ms, not 1 s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

if TYPE_CHECKING:
    import faust
    from aiokafka import AIOKafkaConsumer
    from faust.transport.consumer import Fetcher
    from faust.transport.drivers.aiokafka import RecordMap
    from faust.types import TP, Message


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

    async def _drain_messages(self, fetcher: Fetcher) -> None:
        """Hand over messages until the consumer or the fetcher stops."""
        app = self.transport.app
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._drain_batch()
        except (*self.consumer_stopped_errors, asyncio.CancelledError):
            if not app.should_stop:
                raise

    async def _drain_batch(self) -> None:
        since_yield = 0
        async for tp, message in self.getmany(timeout=_FETCH_SECONDS):
            since_yield += 1
            if since_yield >= _YIELD_EVERY:
                await asyncio.sleep(0)
                since_yield = 0
            read = self._read_offset[tp]
            if read is not None and message.offset < read:
                continue
            while not self._takes(tp):
                await asyncio.sleep(_FULL_SECONDS)
                if self._is_stale(message):
                    return
            if self._is_stale(message):
                return
            await self.callback(message)
            self._read_offset[tp] = message.offset

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit for a partition: behind the last message that was acked.

        A stage acks all messages of a batch, in order, after their effects are durable. So
        none before the last is open, and the offsets between them that are no messages (ends
        of transactions, aborted records) need no counting; Faust's own commits stop at them.
        """
        acked = self._acked[tp]
        if not acked:
            return None
        last = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1

    def _is_stale(self, message: Message) -> bool:
        """Whether a rebalance came since it was fetched.

        What was fetched before one is fetched again after it, from the committed offset, and
        must not come behind newer messages.
        """
        generation = self.transport.app.consumer_generation_id
        return not self.flow_active or message.generation_id != generation

    def _takes(self, tp: TP) -> bool:
        """Whether every stream of this partition takes a message without waiting."""
        app = self.transport.app
        topics = app.topics._tp_index[tp]  # pyright: ignore[reportPrivateUsage]
        return app.flow_control.is_active() and not any(t.queue.full() for t in topics)

    async def _wait_next_records(self, timeout: float) -> tuple[RecordMap | None, set[TP] | None]:
        if not self.flow_active:
            await self.wait(self.can_resume_flow.wait())
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

    Consumer: ClassVar[type[Consumer]] = StageConsumer


def install(app: faust.App) -> None:
    """Make `app` use this transport; called before it is started."""
    app.transport = StageTransport(app.conf.broker_consumer, app)
