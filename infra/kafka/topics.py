"""Kafka's topics as the topic table asks for them, with a topic of dead letters for each."""

from __future__ import annotations

from confluent_kafka.admin import NewTopic

from infra.kafka.cluster import Cluster
from schemas.topics import TOPICS, dead_topic

# Nothing is deleted by age or size: commands are trimmed behind their stage (see `trim`), dead
# letters stay until they are retried. The time of a record is ours, so a copy can keep it.
_SETTINGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "CreateTime",
}


def ensure_topics(cluster: Cluster, prefix: str, partitions: int, replicas: int) -> None:
    """Make the topics that are not there; those that are keep the partitions they have.

    `prefix` is put before each name (a generation of the topics). With three replicas or more a
    record is acknowledged when all but one have it. Raises EngineDown.
    """
    settings = dict(_SETTINGS)
    if replicas >= 3:
        settings["min.insync.replicas"] = str(replicas - 1)
    names = [prefix + name for topic in TOPICS for name in (topic, dead_topic(topic))]
    there = cluster.topics()
    cluster.create(
        NewTopic(name, partitions, replicas, config=settings) for name in names if name not in there
    )
