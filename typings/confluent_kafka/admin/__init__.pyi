import logging
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import (
    IsolationLevel,
    TopicPartition,
)

class PartitionMetadata:
    leader: int

class TopicMetadata:
    partitions: dict[int, PartitionMetadata]

class ClusterMetadata:
    brokers: dict[int, object]
    topics: dict[str, TopicMetadata]

class NewTopic:
    topic: str
    def __init__(
        self,
        topic: str,
        num_partitions: int,
        replication_factor: int,
        *,
        config: Mapping[str, str] = ...,
    ) -> None: ...

class OffsetSpec:
    @classmethod
    def earliest(cls) -> OffsetSpec: ...
    @classmethod
    def latest(cls) -> OffsetSpec: ...
    @classmethod
    def for_timestamp(cls, timestamp: int) -> OffsetSpec: ...

class ListOffsetsResultInfo:
    offset: int
    timestamp: int

class AdminClient:
    def __init__(self, config: Mapping[str, Any], *, logger: logging.Logger = ...) -> None: ...
    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata: ...
    def create_topics(
        self, new_topics: list[NewTopic], *, operation_timeout: float = ...
    ) -> dict[str, Future[None]]: ...
    def list_offsets(
        self,
        topic_partition_offsets: Mapping[TopicPartition, OffsetSpec],
        *,
        isolation_level: IsolationLevel = ...,
        request_timeout: float = ...,
    ) -> dict[TopicPartition, Future[ListOffsetsResultInfo]]: ...
    def delete_records(
        self, topic_partition_offsets: list[TopicPartition], *, request_timeout: float = ...
    ) -> dict[TopicPartition, Future[object]]: ...
