"""Whether a Kafka broker is there for its clients."""

from __future__ import annotations

import logging

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.engines.tcp import is_listening

_TIMEOUT_SECONDS = 2.0

# The client reports each refused connection; while an engine starts they are no news.
_SILENT = logging.Logger("kafka-probe", level=logging.CRITICAL + 1)


def answers_metadata(port: int) -> bool:
    """Whether a metadata request to 127.0.0.1:`port` names a broker that takes part.

    A broker accepts connections before the controller lets it take part, and again after a
    crash until its old session has run out; until then the answer names no broker.
    """
    if not is_listening(port):
        return False
    client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"}, logger=_SILENT)
    try:
        metadata = client.list_topics(timeout=_TIMEOUT_SECONDS)
    except KafkaException:
        return False
    return bool(metadata.brokers)
