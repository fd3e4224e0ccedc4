"""A log in memory, with as many partitions as a test asks for.

As in Kafka, an append leaves a marker behind it: an offset that is no record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from infra.ports import Listener, Output, Position, Record
from schemas.mailbox_events import MailboxEvent
from schemas.partition import partition_of


class MemoryReader:
    def __init__(self, log: MemoryLog, topic: str, position: Position) -> None:
        self._log = log
        self._topic = topic
        self._position = dict(position)

    @property
    def position(self) -> Position:
        return dict(self._position)

    def poll(self, limit: int, timeout: float) -> Sequence[Record]:
        found: list[Record] = []
        for number, partition in enumerate(self._log.partitions(self._topic)):
            for record in partition[self._position.get(number, 0) :]:
                if len(found) == limit:
                    break
                if record is not None:
                    found.append(record)
                self._position[number] = self._position.get(number, 0) + 1
        self._log.polled()
        return found

    def close(self) -> None:
        pass


class MemoryLog:
    def __init__(self, partitions: int = 3) -> None:
        self._count = partitions
        self._topics: dict[str, list[list[Record | None]]] = {}
        self.polled: Callable[[], None] = lambda: None

    def partitions(self, topic: str) -> list[list[Record | None]]:
        return self._topics.setdefault(topic, [[] for _ in range(self._count)])

    def append(self, outputs: Sequence[Output]) -> None:
        for out in outputs:
            number = partition_of(out.key, self._count)
            partition = self.partitions(out.topic)[number]
            partition.append(
                Record(
                    out.topic,
                    number,
                    len(partition),
                    out.key,
                    out.type,
                    out.event_id,
                    len(partition),
                    out.value,
                )
            )
        for partition in {partition_of(out.key, self._count) for out in outputs}:
            self.partitions(outputs[0].topic)[partition].append(None)

    def add(self, events: Sequence[MailboxEvent]) -> None:
        self.append([Output.of(event) for event in events])

    def reader(self, topic: str, position: Position) -> MemoryReader:
        return MemoryReader(self, topic, position)

    def end(self, topic: str) -> Position:
        return {n: len(p) for n, p in enumerate(self.partitions(topic))}

    def begin(self, topic: str) -> Position:
        return dict.fromkeys(range(self._count), 0)

    def position_at(self, topic: str, time: int) -> Position:
        return self.begin(topic)

    def find(self, topic: str, key: str) -> Sequence[Record]:
        return [r for p in self.partitions(topic) for r in p if r and r.key == key]

    def committed(self, group: str, topic: str) -> Position:
        return {}


class Bell:
    """A Wake that counts."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    def notify(self, channel: str) -> None:
        self.rung.append(channel)

    def listen(self, channel: str) -> Listener:
        raise AssertionError("nobody listens here")
