"""What is Kafka's own in the log; what every log must do is in the contract suite."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import Producer

from infra.engines.kafka import KafkaBroker
from infra.kafka.log import KafkaLog
from infra.kafka.records import UNKNOWN
from infra.kafka.writer import PartitionWriter
from infra.ports import EngineDown, Fenced, Position, Record
from infra.registry.file import FileRegistry
from schemas.codec import CodecError
from schemas.partition import partition_of
from schemas.topics import TOPICS, dead_topic
from streams.mailbox.retention import KEPT, trim_commands
from tests.contracts.log import EventLogContract
from tests.infra.kafka.log_kit import (
    PARTITIONS,
    TOPIC,
    MovedClock,
    command,
    key,
    new_log,
    raw,
    same_log,
    system_clock,
)
from tests.system import wait_until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def log(kafka: str, tmp_path: Path, clock: MovedClock) -> Iterator[KafkaLog]:
    log = new_log(kafka, tmp_path, clock)
    yield log
    log.close()


class TestKafkaLog(EventLogContract):
    @pytest.fixture
    def log(self, kafka: str, tmp_path: Path) -> Iterator[KafkaLog]:
        log = new_log(kafka, tmp_path, system_clock)
        yield log
        log.close()

    @pytest.fixture
    def reopen(self, log: KafkaLog, tmp_path: Path) -> Iterator[Callable[[], KafkaLog]]:
        opened: list[KafkaLog] = []

        def again() -> KafkaLog:
            opened.append(same_log(log, tmp_path, system_clock))
            return opened[-1]

        yield again
        for each in opened:
            each.close()


def read_all(log: KafkaLog, topic: str = TOPIC) -> list[Record]:
    begin = log.begin(topic)
    return [r for p, offset in begin.items() for r in log.read_to_end(topic, p, offset)]


def eventually(log: KafkaLog, names: list[str]) -> bool:
    """Whether the records come to be these; a commit is visible a moment after it is durable."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if [r.decode().actor for r in read_all(log)] == names:
            return True
    return False


def test_every_topic_is_made_with_its_dead_letters_once(log: KafkaLog) -> None:
    log.ensure_topics(PARTITIONS + 1)
    for topic in TOPICS:
        assert log.partitions(topic) == PARTITIONS
        assert log.partitions(dead_topic(topic)) == PARTITIONS


def test_a_value_is_framed_with_the_id_of_its_schema(
    log: KafkaLog, kafka: str, tmp_path: Path
) -> None:
    output = command()
    log.append([output])
    [(value, headers)] = raw(log, kafka, TOPIC)
    assert value[:1] == b"\0"
    assert value[5:] == output.value
    registry = FileRegistry(tmp_path / "schemas.json")
    schema_id = int.from_bytes(value[1:5], "big")
    assert registry.subject(schema_id) == "mailbox.commands-mailfold.OpenMailbox"
    assert headers["ce_id"] == output.event_id.encode()


def test_keys_go_to_the_partition_of_murmur2(log: KafkaLog) -> None:
    log.append([command(f"mailbox {n}") for n in range(20)])
    records = read_all(log)
    assert len(records) == 20
    assert all(r.partition == partition_of(r.key, PARTITIONS) for r in records)


def test_times_are_kept_to_the_microsecond(log: KafkaLog, clock: MovedClock) -> None:
    clock.now += 123
    log.append([command()])
    assert read_all(log)[0].recorded_at == clock.now


def test_a_position_by_time_is_exact_within_a_millisecond(log: KafkaLog, clock: MovedClock) -> None:
    partition = partition_of(key(), PARTITIONS)
    start = clock.now
    for n in range(5):
        clock.now = start + 100 * n
        log.append([command()])
    assert log.position_at(TOPIC, start + 201)[partition] == 3
    assert log.position_at(TOPIC, start + 200)[partition] == 2
    assert log.position_at(TOPIC, start)[partition] == 0
    assert log.position_at(TOPIC, start + 401)[partition] == 5
    assert log.position_at(TOPIC, start + 5000)[partition] == 5


def test_many_threads_append_at_once(log: KafkaLog) -> None:
    def some(n: int) -> None:
        for m in range(10):
            log.append([command(f"mailbox {n}", f"{n} {m}")])

    threads = [threading.Thread(target=some, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = read_all(log)
    assert len(records) == 80
    for n in range(8):
        names = [r.decode().actor for r in records if r.key == key(f"mailbox {n}")]
        assert names == [f"{n} {m}" for m in range(10)]


def test_a_transaction_is_seen_whole_after_its_commit(log: KafkaLog) -> None:
    writer = log.writer("stage", 0)
    try:
        with writer.transaction() as tx:
            tx.append([command("m", "a"), command("m", "b")])
            tx.append([command("m", "c")])
            assert read_all(log) == []
        assert eventually(log, ["a", "b", "c"])
    finally:
        writer.close()


class Broken(Exception):
    pass


def append_and_break(writer: PartitionWriter, position: Position | None = None) -> None:
    with writer.transaction() as tx:
        tx.append([command("m", "dropped")])
        tx.commit_position("stage", TOPIC, position or {})
        raise Broken


def test_an_exception_in_the_block_aborts(log: KafkaLog) -> None:
    writer = log.writer("stage", 0)
    try:
        with pytest.raises(Broken):
            append_and_break(writer)
        with writer.transaction() as tx:
            tx.append([command("m", "kept")])
        assert eventually(log, ["kept"])
    finally:
        writer.close()


def test_a_position_is_committed_with_the_outputs(log: KafkaLog) -> None:
    writer = log.writer("stage", 0)
    try:
        with writer.transaction() as tx:
            tx.append([command()])
            tx.commit_position("stage", TOPIC, {2: 7})
        assert log.committed("stage", TOPIC) == {2: 7}
        with pytest.raises(Broken):
            append_and_break(writer, {2: 9})
        assert log.committed("stage", TOPIC) == {2: 7}
    finally:
        writer.close()


def take_over_within_a_transaction_of(zombie: PartitionWriter, log: KafkaLog) -> PartitionWriter:
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(Fenced))
        tx = stack.enter_context(zombie.transaction())
        tx.append([command("m", "zombie")])
        owner = log.writer("stage", 0)
        with owner.transaction() as mine:
            mine.append([command("m", "owner")])
    return owner


def test_a_new_owner_fences_the_old_one_and_drops_what_it_left_open(log: KafkaLog) -> None:
    zombie = log.writer("stage", 0)
    owner = take_over_within_a_transaction_of(zombie, log)
    with pytest.raises(Fenced), zombie.transaction() as tx:
        tx.append([command("m", "zombie again")])
    with owner.transaction() as mine:
        mine.append([command("m", "owner again")])
    assert eventually(log, ["owner", "owner again"])
    owner.close()
    zombie.close()


def test_writers_of_other_partitions_do_not_fence_each_other(log: KafkaLog) -> None:
    writers = [log.writer("stage", p) for p in range(2)]
    for writer in writers:
        with writer.transaction() as tx:
            tx.append([command("m", "each")])
    assert eventually(log, ["each", "each"])
    for writer in writers:
        writer.close()


def test_a_reader_comes_to_the_end_behind_the_marks_of_transactions(log: KafkaLog) -> None:
    writer = log.writer("stage", 0)
    for _ in range(3):
        with writer.transaction() as tx:
            tx.append([command("m", "one")])
    writer.close()
    assert eventually(log, ["one"] * 3)
    reader = log.reader(TOPIC, {})
    while reader.poll(10, 2.0):
        pass
    assert reader.position == log.end(TOPIC)
    reader.close()


def test_a_record_that_is_none_of_ours_is_read_and_not_decodable(log: KafkaLog, kafka: str) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(log.prefix + TOPIC, b"junk", b"k", 0)
    producer.produce(log.prefix + TOPIC, b"\0\xff\xff\xff\xffx", None, 0)
    producer.produce(log.prefix + TOPIC, None, b"\xff", 0)
    assert producer.flush(20) == 0
    records = read_all(log)
    assert [r.value for r in records] == [b"junk", b"\0\xff\xff\xff\xffx", b""]
    assert {r.type for r in records} == {UNKNOWN}
    with pytest.raises(CodecError):
        records[0].decode()


def test_a_dead_letter_is_the_record_as_it_came(log: KafkaLog, kafka: str) -> None:
    log.append([command()])
    [record] = read_all(log)
    log.append_dead(record, {"error": "schema", "attempts": "2"})
    [(value, headers)] = raw(log, kafka, dead_topic(TOPIC))
    assert value == raw(log, kafka, TOPIC)[0][0]
    assert headers["error"] == b"schema"
    assert headers["ce_id"] == record.event_id.encode()


def test_commands_are_trimmed_behind_their_stage_and_not_for_seven_days(
    log: KafkaLog, clock: MovedClock
) -> None:
    partition = partition_of(key(), PARTITIONS)
    log.append([command() for _ in range(5)])
    clock.now += KEPT + 1
    log.append([command() for _ in range(5)])
    trim_commands(log, "mailbox", clock.now)
    assert log.begin(TOPIC)[partition] == 0
    log.commit("mailbox", TOPIC, {partition: 3})
    trim_commands(log, "mailbox", clock.now)
    assert log.begin(TOPIC)[partition] == 3
    log.commit("mailbox", TOPIC, {partition: 10})
    trim_commands(log, "mailbox", clock.now)
    assert log.begin(TOPIC)[partition] == 5
    reader = log.reader(TOPIC, {partition: 0})
    assert [r.offset for r in reader.poll(10, 5.0)] == [5, 6, 7, 8, 9]
    reader.close()


def test_a_broker_that_is_away_is_an_engine_that_is_down(tmp_path: Path, clock: MovedClock) -> None:
    with KafkaBroker(tmp_path / "broker") as broker:
        log = new_log(broker.bootstrap, tmp_path, clock, timeout=3.0)
        writer = log.writer("stage", 0)
        log.append([command("m", "before")])
        broker.kill()
        with pytest.raises(EngineDown):
            log.append([command("m", "away")])
        with pytest.raises(EngineDown):
            log.end(TOPIC)
        with pytest.raises(EngineDown), writer.transaction() as tx:
            tx.append([command("m", "away in a transaction")])
        writer.close()
        broker.start()
        # While the coordinators of groups load.
        assert log.committed("stage", TOPIC) == {}
        log.append([command("m", "after")])
        writer = log.writer("stage", 0)
        with writer.transaction() as tx:
            tx.append([command("m", "after in a transaction")])
        writer.close()
        wanted = ["before", "after", "after in a transaction"]

        def there() -> bool:
            names = [r.decode().actor for r in read_all(log)]
            return [n for n in names if n != "away"] == wanted

        # The broker answers a commit before readers of committed records see its end.
        wait_until(there, 30, "what was committed can be read")
        log.close()
