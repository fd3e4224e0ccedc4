import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar

import faust
from aiokafka import AIOKafkaConsumer
from faust.transport.consumer import Fetcher
from faust.types import TP, Message

RecordMap = Mapping[TP, Sequence[Any]]

class _Service:
    loop: asyncio.AbstractEventLoop
    beacon: Any
    @property
    def should_stop(self) -> bool: ...
    async def sleep(self, seconds: float) -> None: ...
    async def wait(self, waited: Awaitable[Any]) -> object: ...

class AIOKafkaConsumerThread(_Service):
    def __init__(
        self, consumer: Consumer, *, loop: asyncio.AbstractEventLoop, beacon: Any
    ) -> None: ...
    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer: ...

class Consumer(_Service):
    transport: Transport
    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]]
    callback: Callable[[Message], Awaitable[None]]
    flow_active: bool
    can_resume_flow: asyncio.Event
    not_waiting_next_records: asyncio.Event
    _acked: MutableMapping[TP, list[int]]
    _acked_index: MutableMapping[TP, set[int]]
    _read_offset: MutableMapping[TP, int | None]
    def assignment(self) -> set[TP]: ...
    def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]: ...
    def _new_consumer_thread(self) -> AIOKafkaConsumerThread: ...
    async def _drain_messages(self, fetcher: Fetcher) -> None: ...
    async def _wait_next_records(
        self, timeout: float
    ) -> tuple[RecordMap | None, set[TP] | None]: ...
    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> RecordMap: ...
    def _get_active_partitions(self) -> set[TP]: ...
    def _new_offset(self, tp: TP) -> int | None: ...

class Transport:
    Consumer: ClassVar[type[Consumer]]
    app: faust.App
    def __init__(
        self, url: Any, app: faust.App, loop: asyncio.AbstractEventLoop | None = None
    ) -> None: ...
