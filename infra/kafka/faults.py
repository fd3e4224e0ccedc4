"""What an error of Kafka means to the house: the engine is down, or we were fenced."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from infra.ports import EngineDown, Fenced

# Another producer has taken our transactional.id (KIP-98, KIP-360).
_FENCING = frozenset(
    (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)
)


def error_of(exception: KafkaException) -> KafkaError:
    """The error inside an exception of confluent-kafka."""
    error: KafkaError = exception.args[0]
    return error


def down(what: str, error: KafkaError) -> EngineDown:
    """The error as one of the port: what we did, and Kafka's name for what went wrong."""
    return EngineDown(f"Kafka, {what}: {error.name()}")


def is_fencing(error: KafkaError) -> bool:
    """Whether another process has taken our place."""
    return error.code() in _FENCING


def fault(what: str, exception: KafkaException) -> EngineDown | Fenced:
    """The exception as one of the port."""
    error = error_of(exception)
    if is_fencing(error):
        return Fenced(f"{what}: {error.name()}")
    return down(what, error)
