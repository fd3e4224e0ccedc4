"""The queue is a fold, and what is due is attempted within bounds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.ports import EngineDown
from schemas.events import MailEvent
from schemas.parts import SubmittedSecret
from schemas.seal import unseal
from streams.outbound.post import Erased, Unreadable
from streams.outbound.queue import Item
from streams.outbound.schedule import Schedule, parse
from tests.outbound.rig import DAY, KEY, LATER, NEVER, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def outcomes(rig: Rig, submission: str) -> list[str]:
    return [a.outcome for a in rig.attempts(submission)]


# -- when

MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("attempt", "least", "most"), [(1, 0.1, 1), (2, 0.5, 5), (3, 0.5, 5), (9, 0.5, 5)]
)
def test_a_wait_is_a_share_of_its_step(attempt: int, least: float, most: float) -> None:
    schedule = Schedule((60, 300), 100_000)
    waits = [schedule.next(str(n), 0, attempt, MINUTE) for n in range(200)]
    spans = [(w or 0) / MINUTE - 1 for w in waits]
    assert least <= min(spans) < least * 2
    assert most * 0.9 < max(spans) <= most
    assert schedule.next("7", 0, attempt, MINUTE) == waits[7]


def test_the_last_attempt_is_when_its_time_is_over_and_then_none() -> None:
    schedule = Schedule((3600,), 100)
    assert schedule.next("x", 0, 1, 50_000_000) == 100_000_000
    assert schedule.next("x", 0, 2, 100_000_000) is None


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "60,", "432000"])
def test_a_schedule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)


# -- the fold


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, str, bool]], list[int]]:
    """Submissions by number, repeats among them; attempts of them; where batches are cut."""
    submitted = draw(st.lists(st.integers(0, 3), min_size=1, max_size=8))
    outcome = st.sampled_from(["deferred", "delivered", "dropped", "suppressed", "bounced"])
    attempts = draw(
        st.lists(st.tuples(st.sampled_from(submitted), outcome, st.booleans()), max_size=10)
    )
    return submitted, attempts, draw(st.lists(st.integers(0, 12), max_size=4))


@given(histories())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_cutting_gives_the_same_queue(
    tmp_path_factory: pytest.TempPathFactory,
    history: tuple[list[int], list[tuple[int, str, bool]], list[int]],
) -> None:
    submitted, attempts, cuts = history
    rig = Rig(tmp_path_factory.mktemp("fold"))
    known = [rig.submitted() for _ in range(4)]
    events: list[MailEvent] = [known[n] for n in submitted]
    for n, outcome, twice in attempts:
        item = Item(submitted=known[n], state="waiting", attempts=len(events), next_at=0)
        made = {
            "deferred": lambda i: rig.judge.postponed(i, "why", rig.clock.now),
            "dropped": lambda i: rig.judge.dropped(i, "why", rig.clock.now),
            "suppressed": lambda i: rig.judge.suppressed(i, rig.clock.now),
        }.get(outcome, lambda i: rig.judge.dropped(i, "why", rig.clock.now))(item)
        events += [made] * (2 if twice else 1)
    for at, event in enumerate(events):
        if at in cuts:
            rig.follower.catch_up()
        rig.append(event)
    rig.follower.catch_up()
    again, follower = rig.open_queue("again.db")
    follower.catch_up()
    assert again.items() == rig.queue.items()
    assert again.backlog() == rig.queue.backlog()
    rig.close()


def test_two_who_fold_at_once_fold_once(rig: Rig) -> None:
    for _ in range(300):
        rig.submit()
    queue, second = rig.open_queue("outbound.db")
    threads = [threading.Thread(target=f.catch_up) for f in (rig.follower, second)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    rig.follower.catch_up()
    second.catch_up()
    assert len(queue.items()) == rig.queue.backlog().depth == 300


# -- attempts


def test_what_is_submitted_is_sent_once(rig: Rig) -> None:
    one = rig.submit()
    rig.work()
    assert rig.courier.sent == [one]
    (attempt,) = rig.attempts(one)
    assert (attempt.outcome, attempt.attempt, attempt.arc) == ("delivered", 1, "none")
    assert rig.queue.items() == []


def test_what_is_deferred_comes_again_at_its_time(rig: Rig) -> None:
    one = rig.submit()
    rig.courier.receipts[one] = [LATER]
    rig.work()
    assert outcomes(rig, one) == ["deferred"]
    rig.clock.advance(5)
    rig.work()
    assert len(rig.courier.sent) == 1
    rig.clock.advance(60)
    rig.work()
    assert outcomes(rig, one) == ["deferred", "delivered"]


def test_what_is_refused_is_reported_once(rig: Rig) -> None:
    one = rig.submit()
    rig.courier.receipts[one] = [NEVER]
    rig.work()
    assert outcomes(rig, one) == ["bounced"]
    (bounce,) = rig.bounces()
    assert rig.attempts(one)[0].bounce_id == bounce.event_id
    assert (bounce.target_domain, bounce.bounceable) == ("sender.test", False)
    secret = unseal(SubmittedSecret, bounce.sealed, KEY, bounce.event_id)
    assert (secret.reverse_path, secret.forward_path) == ("", "ann@sender.test")
    (failure,) = secret.failure
    assert (failure.recipient, failure.status, failure.code) == ("team@example.test", "5.1.1", 550)
    assert outcomes(rig, bounce.event_id) == ["delivered"]


def test_a_report_that_fails_is_not_reported(rig: Rig) -> None:
    one = rig.submit(bounceable=False)
    rig.courier.receipts[one] = [NEVER]
    rig.work()
    assert outcomes(rig, one) == ["bounced"]
    assert rig.bounces() == []


def test_what_is_never_taken_fails_when_its_time_is_over(rig: Rig) -> None:
    one = rig.submit()
    rig.courier.receipts[one] = [LATER] * 100
    for _ in range(100):
        rig.work()
        rig.clock.advance(300)
    assert set(outcomes(rig, one)[:-1]) == {"deferred"}
    assert outcomes(rig, one)[-1] == "bounced"
    (bounce,) = rig.bounces()
    secret = unseal(SubmittedSecret, bounce.sealed, KEY, bounce.event_id)
    assert secret.failure[0].status == "5.4.7"
    assert len(rig.courier.sent) < 40


def test_what_is_suppressed_is_held_and_then_dropped(rig: Rig) -> None:
    one = rig.submit(suppressed="spam")
    rig.work()
    assert outcomes(rig, one) == ["suppressed"]
    assert (rig.queue.backlog().depth, rig.queue.backlog().held) == (0, 1)
    rig.clock.advance(6 * 86400)
    rig.work()
    assert outcomes(rig, one) == ["suppressed"]
    rig.clock.advance(86400)
    rig.work()
    assert outcomes(rig, one) == ["suppressed", "dropped"]
    assert rig.courier.sent == []


def test_what_is_held_goes_when_somebody_lets_it(rig: Rig) -> None:
    one = rig.submit(suppressed="spam")
    rig.work()
    (item,) = rig.queue.items()
    rig.append(rig.judge.asked(item, rig.clock.now))
    rig.work()
    assert outcomes(rig, one) == ["suppressed", "deferred", "delivered"]


def test_what_is_erased_is_dropped(rig: Rig) -> None:
    one = rig.submit()
    rig.packer.raises[one] = Erased()
    rig.work()
    (attempt,) = rig.attempts(one)
    assert (attempt.outcome, attempt.reason, attempt.sealed) == ("dropped", "erased", b"")


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(Unreadable("part-missing"), "part-missing"), (KeyError("x"), "internal:KeyError")],
)
def test_a_mail_that_cannot_be_made_holds_up_no_other(
    rig: Rig, trouble: Exception, reason: str
) -> None:
    bad, good = rig.submit(), rig.submit()
    rig.packer.raises[bad] = trouble
    rig.work()
    assert outcomes(rig, good) == ["delivered"]
    (attempt,) = rig.attempts(bad)
    assert (attempt.outcome, attempt.reason) == ("deferred", reason)
    del rig.packer.raises[bad]
    rig.clock.advance(60)
    rig.work()
    assert outcomes(rig, bad) == ["deferred", "delivered"]


def test_a_log_that_is_away_for_a_while_makes_nothing_go_twice(rig: Rig) -> None:
    one = rig.submit()
    rig.follower.catch_up()
    rig.log.failures = 3
    rig.work()
    assert rig.courier.sent == [one]
    assert outcomes(rig, one) == ["delivered"]


def test_a_store_that_is_down_is_no_attempt(rig: Rig) -> None:
    one = rig.submit()
    rig.packer.raises[one] = EngineDown("keys")

    async def run() -> None:
        await rig.dispatcher.turn()
        await asyncio.sleep(0.05)
        assert rig.attempts(one) == []
        rig.packer.raises.clear()

    asyncio.run(run())


def test_so_many_to_a_domain_and_so_many_in_all(tmp_path: Path) -> None:
    rig = Rig(tmp_path, attempts=5, per_domain=2)
    for _ in range(6):
        rig.submit("one.test")
    for n in range(6):
        rig.submit(f"d{n}.test")

    async def run() -> int:
        rig.courier.gate = asyncio.Event()
        await rig.dispatcher.turn()
        under_way = await rig.dispatcher.turn()
        rig.courier.gate.set()
        while await rig.dispatcher.turn():
            await asyncio.sleep(0.001)
        return under_way

    assert asyncio.run(run()) == 5
    assert len(rig.courier.sent) == 12
    rig.close()


def test_large_mails_go_one_by_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path, octets=100)
    for n in range(3):
        rig.submit(f"d{n}.test", size=90)

    async def run() -> list[int]:
        found: list[int] = []
        while count := await rig.dispatcher.turn():
            found.append(count)
            await asyncio.sleep(0.01)
        return found

    assert set(asyncio.run(run())) == {1}
    assert len(rig.courier.sent) == 3
    rig.close()


def test_the_backlog_says_how_long_the_oldest_waits(rig: Rig) -> None:
    first = rig.clock.now
    one = rig.submit()
    rig.courier.receipts[one] = [LATER] * 9
    rig.clock.advance(30)
    two = rig.submit()
    rig.courier.receipts[two] = [LATER]
    rig.work()
    backlog = rig.queue.backlog()
    assert (backlog.depth, backlog.oldest_at) == (2, first)
    assert rig.queue.next(rig.clock.now) is not None
    assert DAY > 0
