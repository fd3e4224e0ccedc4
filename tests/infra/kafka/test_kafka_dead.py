"""Dead letters are kept in their store and seen in Kafka by whoever watches the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.kafka.dead import PublishedDeadLetters
from infra.kafka.log import KafkaLog
from infra.ports import DeadLetters, Record
from infra.sqlite.connection import LOG
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from schemas.topics import dead_topic
from tests.infra.kafka.log_kit import TOPIC, command, new_log, raw, system_clock

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

NOW = 1_700_000_000_000_000


@pytest.fixture
def log(kafka: str, tmp_path: Path) -> Iterator[KafkaLog]:
    log = new_log(kafka, tmp_path, system_clock)
    yield log
    log.close()


@pytest.fixture
def letters(log: KafkaLog, tmp_path: Path) -> Iterator[DeadLetters]:
    file = SqliteFile(tmp_path / "log.db", LOG)
    yield PublishedDeadLetters(SqliteDeadLetters(file), log)
    file.close()


def appended(log: KafkaLog) -> Record:
    log.append([command()])
    reader = log.reader(TOPIC, {})
    [record] = reader.poll(10, 10.0)
    reader.close()
    return record


def test_a_dead_letter_is_kept_and_published_with_its_reason(
    log: KafkaLog, letters: DeadLetters, kafka: str
) -> None:
    record = appended(log)
    letters.park("mailbox", record, "schema", NOW)
    assert [letter.record for letter in letters.list()] == [record]
    assert letters.blocked("mailbox", [record.key]) == {record.key}
    [(_, headers)] = raw(log, kafka, dead_topic(TOPIC))
    assert (headers["error"], headers["stage"], headers["attempts"]) == (
        b"schema",
        b"mailbox",
        b"1",
    )
    assert headers["first_at"] == headers["last_at"] == b"2023-11-14T22:13:20.000000Z"


def test_another_failure_is_published_with_its_count(
    log: KafkaLog, letters: DeadLetters, kafka: str
) -> None:
    letters.park("mailbox", appended(log), "schema", NOW)
    letters.failed(letters.list()[0].id, "schema", NOW + 1_000_000)
    headers = raw(log, kafka, dead_topic(TOPIC))[-1][1]
    assert headers["attempts"] == b"2"
    assert headers["first_at"] == b"2023-11-14T22:13:20.000000Z"
    assert headers["last_at"] == b"2023-11-14T22:13:21.000000Z"


def test_a_record_that_only_waits_is_not_published(
    log: KafkaLog, letters: DeadLetters, kafka: str
) -> None:
    letters.park("mailbox", appended(log), "", NOW)
    assert len(letters.list()) == 1
    assert raw(log, kafka, dead_topic(TOPIC)) == []
