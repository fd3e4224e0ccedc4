"""Dead letters in Kafka: in `<topic>.dead`, the record as it came, why it is there in headers."""

from __future__ import annotations

from collections.abc import Sequence

from infra.kafka.headers import timestamp
from infra.kafka.log import KafkaLog
from infra.ports import DeadLetter, DeadLetters, Record


class PublishedDeadLetters:
    """Satisfies DeadLetters: keeps them in another store of them and publishes each.

    The store answers what blocks what; the topic is for whoever watches the cluster.
    """

    def __init__(self, store: DeadLetters, log: KafkaLog) -> None:
        self._store = store
        self._log = log

    def park(self, stage: str, record: Record, error: str, now: int) -> None:
        """Publish a record and keep it. Raises EngineDown."""
        if error:  # one that only waits behind another is not dead
            self._publish(stage, record, error, attempts=1, first_at=now, last_at=now)
        self._store.park(stage, record, error, now)

    def blocked(self, stage: str, keys: Sequence[str]) -> frozenset[str]:
        """Those of `keys` that have records parked."""
        return self._store.blocked(stage, keys)

    def list(self, stage: str | None = None) -> Sequence[DeadLetter]:
        """What is parked, in order."""
        return self._store.list(stage)

    def retry(self, ids: Sequence[int] | None) -> int:
        """Mark the keys of these letters (None: of all) to be tried again; how many."""
        return self._store.retry(ids)

    def retryable(self, stage: str) -> Sequence[DeadLetter]:
        """The letters of keys marked for another try, in order."""
        return self._store.retryable(stage)

    def failed(self, id: int, error: str, now: int) -> None:
        """Publish that the letter failed again, and keep that. Raises EngineDown."""
        for letter in self._store.list():
            if letter.id == id:
                self._publish(
                    letter.stage,
                    letter.record,
                    error,
                    attempts=letter.attempts + 1,
                    first_at=letter.first_at,
                    last_at=now,
                )
        self._store.failed(id, error, now)

    def done(self, id: int) -> None:
        """The letter was processed."""
        self._store.done(id)

    def _publish(
        self, stage: str, record: Record, error: str, *, attempts: int, first_at: int, last_at: int
    ) -> None:
        why = {
            "error": error,
            "stage": stage,
            "attempts": str(attempts),
            "first_at": timestamp(first_at),
            "last_at": timestamp(last_at),
        }
        self._log.append_dead(record, why)
