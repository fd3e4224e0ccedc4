"""What of faust-streaming this project uses; its own annotations are partial."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import Message

class Event:
    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]
    message: Message
    def ack(self) -> bool: ...

class Stream:
    def noack_take(self, max_: int, within: float) -> AsyncIterator[Sequence[Event]]: ...

class Topic: ...

class _Settings:
    broker_consumer: Any

class _FlowControl:
    def is_active(self) -> bool: ...

class _Buffer:
    def full(self) -> bool: ...

class _Channel:
    queue: _Buffer

class _Conductor:
    _tp_index: Mapping[Any, set[_Channel]]
    def acks_enabled_for(self, topic: str) -> bool: ...

class _Signal:
    def connect(self, fun: Callable[..., Awaitable[None]]) -> object: ...

class App:
    conf: _Settings
    consumer: Consumer
    consumer_generation_id: int
    flow_control: _FlowControl
    should_stop: bool
    on_partitions_assigned: _Signal
    topics: _Conductor
    transport: Transport
    def __init__(self, id: str, **settings: Any) -> None: ...
    def topic(
        self,
        *topics: str,
        key_type: type[bytes],
        value_type: type[bytes],
        key_serializer: str,
        value_serializer: str,
    ) -> Topic: ...
    def agent(
        self, channel: Topic, *, name: str
    ) -> Callable[[Callable[[Stream], Awaitable[None]]], object]: ...
    def finalize(self) -> None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def wait_until_stopped(self) -> None: ...
