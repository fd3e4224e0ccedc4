"""A log in partitions, in memory, that does what Kafka's transactions and fencing promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from infra.ports import Caused, Fenced, Output, Position, Record
from schemas.codec import decode
from schemas.partition import partition_of

_CHUNK = 3
"""Small, so that batches end everywhere."""

Entry = tuple[Record, int | None] | None
"""A record with its cause, or the end of a transaction."""


class MemoryPartitions:
    """Satisfies PartitionedLog."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._entries: dict[tuple[str, int], list[Entry]] = {}
        self._owners: dict[tuple[str, int], MemoryWriter] = {}
        self._committed: dict[tuple[str, str], dict[int, int]] = {}
        self._clock = 0

    def _at(self, topic: str, partition: int) -> list[Entry]:
        return self._entries.setdefault((topic, partition), [])

    def add(self, output: Output, cause: int | None = None) -> int:
        """Append one output and return the offset behind it."""
        partition = partition_of(output.key, self._partitions)
        entries = self._at(output.topic, partition)
        self._clock += 1
        record = Record(
            output.topic,
            partition,
            len(entries),
            output.key,
            output.type,
            output.event_id,
            self._clock,
            output.value,
        )
        entries.append((record, cause))
        return record.offset + 1

    def mark(self, topic: str, partition: int) -> None:
        """Append the end of a transaction, which is an offset without a record."""
        self._at(topic, partition).append(None)

    def append(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            self.add(output)

    def end(self, topic: str) -> Position:
        return {p: len(self._at(topic, p)) for p in range(self._partitions)}

    def committed(self, group: str, topic: str) -> Position:
        return self._committed.get((group, topic), {})

    def commit(self, group: str, topic: str, position: Position) -> None:
        """Set how far a group has come."""
        self._committed.setdefault((group, topic), {}).update(position)

    def writer(self, stage: str, partition: int) -> MemoryWriter:
        made = self._owners[stage, partition] = MemoryWriter(self, stage, partition)
        return made

    def owns(self, writer: MemoryWriter) -> bool:
        """Whether nobody has fenced a writer."""
        return self._owners[writer.stage, writer.partition] is writer

    def outputs(
        self, topic: str, partition: int, start: int, end: int, source: str
    ) -> Iterator[Sequence[Caused]]:
        found = [Caused(*e) for e in self._at(topic, partition)[start:end] if e is not None]
        for i in range(0, len(found), _CHUNK):
            yield found[i : i + _CHUNK]

    def records(self, topic: str, partition: int, start: int, end: int) -> Iterator[Record]:
        yield from (e[0] for e in self._at(topic, partition)[start:end] if e is not None)


class MemoryWriter:
    """Satisfies OutputWriter."""

    def __init__(self, log: MemoryPartitions, stage: str, partition: int) -> None:
        self._log = log
        self.stage = stage
        self.partition = partition

    def write(self, outputs: Sequence[Output], causes: Mapping[str, Record]) -> int | None:
        if not self._log.owns(self):
            raise Fenced(self.stage)
        behind: int | None = None
        for output in outputs:
            caused_by: str = decode(output.type, output.value).caused_by  # type: ignore[attr-defined]
            cause = causes.get(caused_by)
            behind = self._log.add(output, None if cause is None else cause.offset)
        if outputs:
            self._log.mark(outputs[0].topic, self.partition)
        return behind

    def close(self) -> None:
        """Nothing to give back."""
