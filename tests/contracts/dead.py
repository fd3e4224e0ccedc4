"""What every keeper of dead letters does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.ports import DeadLetters, Record
from schemas.identity import derived
from schemas.topics import MAILBOX_COMMANDS

STAGE = "mailbox"


def key(name: str) -> str:
    return derived("mailbox", name)


def record(name: str, offset: int) -> Record:
    return Record(
        topic=MAILBOX_COMMANDS,
        partition=3,
        offset=offset,
        key=key(name),
        type="Deliver",
        event_id=derived("event", str(offset)),
        recorded_at=1000 + offset,
        value=b"value %d" % offset,
    )


def offsets(dead: DeadLetters, stage: str | None = STAGE) -> list[int]:
    return [letter.record.offset for letter in dead.list(stage)]


def states(dead: DeadLetters) -> list[tuple[int, str]]:
    return [(letter.record.offset, letter.state) for letter in dead.list(STAGE)]


class DeadLettersContract:
    """Port DeadLetters."""

    @pytest.fixture
    def dead(self) -> DeadLetters:
        raise AssertionError("the adapter's test gives them")

    @pytest.fixture
    def reopen(self) -> Callable[[], DeadLetters]:
        raise AssertionError("the adapter's test gives them a second time")

    def test_a_letter_is_kept_as_it_came(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        (letter,) = dead.list()
        assert letter.record == record("a", 1)
        assert (letter.stage, letter.error, letter.attempts, letter.state) == (
            STAGE,
            "damaged",
            1,
            "dead",
        )
        assert (letter.first_at, letter.last_at) == (77, 77)

    def test_a_key_is_blocked_and_others_are_not(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        assert dead.blocked(STAGE, [key("a"), key("b")]) == {key("a")}
        assert dead.blocked("another", [key("a")]) == frozenset()
        assert dead.blocked(STAGE, []) == frozenset()

    def test_what_waits_behind_a_dead_letter_says_so(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        dead.park(STAGE, record("a", 2), "", 78)
        assert states(dead) == [(1, "dead"), (2, "waiting")]

    def test_letters_are_listed_in_order_and_by_stage(self, dead: DeadLetters) -> None:
        for n, name in [(5, "b"), (2, "a"), (9, "b")]:
            dead.park(STAGE, record(name, n), "damaged", 77)
        dead.park("inbound", record("a", 1), "damaged", 77)
        assert offsets(dead) == [5, 2, 9]
        assert offsets(dead, "inbound") == [1]
        assert offsets(dead, None) == [5, 2, 9, 1]

    def test_parking_a_record_again_keeps_one(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        dead.park(STAGE, record("a", 2), "", 77)
        dead.park(STAGE, record("a", 1), "other", 99)
        (one, two) = dead.list()
        assert (one.error, one.first_at, one.attempts) == ("damaged", 77, 1)
        assert two.state == "waiting"

    def test_nothing_is_tried_again_unasked(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        assert list(dead.retryable(STAGE)) == []

    def test_a_retry_takes_all_letters_of_the_key_in_order(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        dead.park(STAGE, record("b", 2), "damaged", 77)
        dead.park(STAGE, record("a", 3), "", 77)
        last = dead.list(STAGE)[2]
        assert dead.retry([last.id]) == 2
        assert [x.record.offset for x in dead.retryable(STAGE)] == [1, 3]
        assert list(dead.retryable("inbound")) == []

    def test_a_retry_of_all_takes_all(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        dead.park("inbound", record("b", 2), "damaged", 77)
        assert dead.retry(None) == 2
        assert [x.record.offset for x in dead.retryable(STAGE)] == [1]
        assert [x.record.offset for x in dead.retryable("inbound")] == [2]

    def test_a_retry_of_what_is_not_there_is_nothing(self, dead: DeadLetters) -> None:
        assert dead.retry([12345]) == 0
        assert dead.retry([]) == 0
        assert dead.retry(None) == 0

    def test_a_key_stays_blocked_while_it_is_tried_again(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        dead.retry(None)
        assert dead.blocked(STAGE, [key("a")]) == {key("a")}

    def test_a_key_is_free_when_its_last_letter_is_done(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        dead.park(STAGE, record("a", 2), "", 77)
        one, two = dead.list(STAGE)
        dead.retry(None)
        dead.done(one.id)
        assert dead.blocked(STAGE, [key("a")]) == {key("a")}
        dead.done(two.id)
        assert dead.blocked(STAGE, [key("a")]) == frozenset()
        assert list(dead.list()) == []

    def test_a_letter_that_fails_again_blocks_its_key_as_before(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        dead.park(STAGE, record("a", 2), "", 77)
        dead.park(STAGE, record("b", 3), "damaged", 77)
        dead.retry(None)
        dead.failed(dead.list(STAGE)[0].id, "worse", 99)
        assert states(dead) == [(1, "dead"), (2, "waiting"), (3, "retry")]
        first = dead.list(STAGE)[0]
        assert (first.error, first.attempts, first.first_at, first.last_at) == ("worse", 2, 77, 99)

    def test_a_letter_that_waited_and_fails_is_dead(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        dead.park(STAGE, record("a", 2), "", 77)
        dead.park(STAGE, record("a", 3), "", 77)
        dead.retry(None)
        one, two, _ = dead.list(STAGE)
        dead.done(one.id)
        dead.failed(two.id, "worse", 99)
        assert states(dead) == [(2, "dead"), (3, "waiting")]

    def test_what_comes_behind_a_retry_is_tried_with_it(self, dead: DeadLetters) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        dead.retry(None)
        dead.park(STAGE, record("a", 2), "", 78)
        assert [x.record.offset for x in dead.retryable(STAGE)] == [1, 2]

    def test_letters_are_there_for_another(
        self, dead: DeadLetters, reopen: Callable[[], DeadLetters]
    ) -> None:
        dead.park(STAGE, record("a", 1), "damaged", 77)
        assert reopen().list() == dead.list()
