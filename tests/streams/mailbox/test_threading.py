"""Which messages come to stand in one thread."""

from __future__ import annotations

import pytest

from schemas import commands as c
from schemas import identity
from schemas import mailbox_events as e
from tests.fakes import FINGERPRINT
from tests.streams.mailbox.kit import BOX, DAY, Mailbox, codes

A, B, C, D = "<a@x.test>", "<b@x.test>", "<c@x.test>", "<d@x.test>"
TWO = {"author": "ann@a.test", "to": ("bob@b.test",)}


def test_a_reply_joins_what_it_names() -> None:
    box = Mailbox()
    one = box.deliver(message_id=A)
    two = box.deliver(message_id=B, references=(A,))
    three = box.deliver(message_id=C, in_reply_to=(B,))
    assert box.together(one, two, three)
    assert [x.by for x in box.events(e.Threaded)] == ["root", "references", "in_reply_to"]


def test_two_answers_to_a_mail_never_seen_meet() -> None:
    box = Mailbox()
    one = box.deliver(message_id=B, references=(A,))
    two = box.deliver(message_id=C, references=(A,))
    assert box.together(one, two)
    parent = box.deliver(message_id=A)
    assert box.together(one, two, parent)


def test_the_thread_is_named_by_its_root_present_or_not() -> None:
    box = Mailbox()
    box.deliver(message_id=B, references=(A,))
    root = FINGERPRINT.in_mailbox(BOX, "message-id", A.strip("<>"))
    assert box.events(e.Threaded)[0].thread_id == identity.thread_id(BOX, root)


def test_a_message_that_names_two_threads_joins_them_into_the_older() -> None:
    box = Mailbox()
    one, two = box.deliver(message_id=A), box.deliver(message_id=B)
    three = box.deliver(message_id=C, references=(B, A))
    assert box.together(one, two, three)
    first, second, third = box.events(e.Threaded)
    assert third.thread_id == first.thread_id
    assert third.merged == [second.thread_id]


def test_joined_threads_join_again() -> None:
    box = Mailbox()
    one, two, three = (box.deliver(message_id=x) for x in (A, B, C))
    box.deliver(references=(C, B))
    box.deliver(references=(B, A))
    last = box.deliver(references=(C,))
    assert box.together(one, two, three, last)


def test_mail_without_any_identifier_stands_alone() -> None:
    box = Mailbox()
    one, two = box.deliver(subject=""), box.deliver(subject="")
    assert not box.together(one, two)


@pytest.mark.parametrize(
    ("given", "joins"),
    [
        ({}, True),
        ({"subject": "re: fwd: PLAN"}, True),
        ({"subject": "Plan B"}, False),
        ({"author": "bob@b.test", "to": ("ann@a.test", "cyd@c.test")}, True),
        ({"author": "bob@b.test", "to": ("cyd@c.test",)}, False),
        ({"references": (C,)}, True),
    ],
)
def test_without_known_references_the_subject_and_two_people_decide(
    given: dict[str, object], joins: bool
) -> None:
    box = Mailbox()
    one = box.deliver(message_id=A, subject="Plan", **TWO)
    two = box.deliver(**{"message_id": B, "subject": "Plan", **TWO, **given})
    assert box.together(one, two) is joins


@pytest.mark.parametrize(("days", "joins"), [(30, True), (31, False), (-30, True), (-31, False)])
def test_the_subject_counts_for_thirty_days_either_way(days: int, joins: bool) -> None:
    box = Mailbox()
    one = box.deliver(subject="Plan", **TWO)
    two = box.deliver(subject="Plan", dated=box.now + days * DAY, **TWO)
    assert box.together(one, two) is joins


def test_references_come_before_the_subject() -> None:
    box = Mailbox()
    one = box.deliver(message_id=A, subject="Plan", **TWO)
    two = box.deliver(message_id=B, subject="Lunch", **TWO)
    three = box.deliver(message_id=C, subject="Lunch", references=(A,), **TWO)
    assert box.together(one, three)
    assert not box.together(one, two)


def test_an_empty_subject_joins_nothing() -> None:
    box = Mailbox()
    one = box.deliver(subject="Re:", **TWO)
    assert not box.together(one, box.deliver(subject="re: ", **TWO))


def test_a_person_takes_a_message_out_into_a_thread_of_its_own() -> None:
    box = Mailbox()
    one, two = box.deliver(message_id=A), box.deliver(message_id=B, references=(A,))
    box.do(c.MoveToThread, message_ids=[two])
    assert not box.together(one, two)


def test_messages_taken_out_together_stay_together() -> None:
    box = Mailbox()
    one = box.deliver(message_id=A)
    two, three = (box.deliver(message_id=x, references=(A,)) for x in (B, C))
    box.do(c.MoveToThread, message_ids=[two, three])
    assert box.together(two, three)
    assert not box.together(one, two)


def test_replies_follow_a_message_to_where_a_person_put_it() -> None:
    box = Mailbox()
    one, two = box.deliver(message_id=A), box.deliver(message_id=B, references=(A,))
    box.do(c.MoveToThread, message_ids=[two])
    three = box.deliver(message_id=C, references=(A, B))
    four = box.deliver(message_id=D, references=(A, B, C))
    assert box.together(two, three, four)
    assert not box.together(one, two)


def test_the_subject_follows_it_too() -> None:
    box = Mailbox()
    one = box.deliver(subject="Plan", **TWO)
    box.do(c.MoveToThread, message_ids=[one])
    assert box.together(one, box.deliver(subject="Plan", **TWO))


def test_a_message_moves_into_another_thread_through_a_merge() -> None:
    box = Mailbox()
    box.deliver(message_id=A)
    merged = box.events(e.Threaded)[0].thread_id
    one, two, three = (box.deliver(message_id=x) for x in (B, C, D))
    box.deliver(references=(B, C))
    named = box.events(e.Threaded)[2].thread_id
    assert named != merged
    box.do(c.MoveToThread, message_ids=[three], thread_id=named)
    assert box.together(one, two, three)


def test_an_unknown_thread_is_refused() -> None:
    box = Mailbox()
    one = box.deliver()
    for thread_id in (box.new_id(), "no identifier"):
        refused = box.do(c.MoveToThread, message_ids=[one], thread_id=thread_id)
        assert codes(refused) == ["unknown-thread"]


def test_moving_a_message_to_where_it_is_changes_nothing() -> None:
    box = Mailbox()
    one = box.deliver()
    box.do(c.MoveToThread, message_ids=[one], thread_id=box.events(e.Threaded)[0].thread_id)
    assert not box.events(e.MovedToThread)


def test_an_erased_message_still_holds_its_thread_together() -> None:
    box = Mailbox()
    one = box.deliver(message_id=A)
    box.do(c.Erase, message_ids=[one])
    two, three = (box.deliver(message_id=x, references=(A,)) for x in (B, C))
    assert box.together(one, two, three)
