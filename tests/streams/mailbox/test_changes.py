"""What people and timers do with messages."""

from __future__ import annotations

import pytest

from schemas import commands as c
from schemas import mailbox_events as e
from tests.streams.mailbox.kit import MINUTE, Mailbox, codes

WINDOW = 3600
HOUR = 60 * MINUTE


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


def test_trash_takes_all_labels_and_gives_them_back(box: Mailbox) -> None:
    message = box.deliver()
    work = box.label("Work")
    box.change(message, add_labels=[work])
    box.change(message, add_labels=["TRASH"])
    assert box.labels(message) == {"TRASH"}
    box.change(message, remove_labels=["TRASH"])
    assert box.labels(message) == {"INBOX", "ALL", work}


def test_labels_that_come_back_have_new_uids(box: Mailbox) -> None:
    message = box.deliver()
    box.change(message, add_labels=["TRASH"])
    outcome = box.change(message, remove_labels=["TRASH"])
    assert set(box.seen.messages[message].labels.values()) == {outcome.seq}


def test_from_spam_to_trash_and_back_and_out(box: Mailbox) -> None:
    message = box.deliver()
    box.change(message, add_labels=["SPAM"])
    box.change(message, add_labels=["TRASH"])
    box.change(message, remove_labels=["TRASH"])
    assert box.labels(message) == {"SPAM"}
    box.change(message, remove_labels=["SPAM"])
    assert box.labels(message) == {"INBOX", "ALL"}


def test_to_and_fro_between_spam_and_trash_ends_where_it_began(box: Mailbox) -> None:
    message = box.deliver()
    for label in ("SPAM", "TRASH", "SPAM", "TRASH", "SPAM"):
        box.change(message, add_labels=[label])
    box.change(message, remove_labels=["SPAM"])
    assert box.labels(message) == {"INBOX", "ALL"}


def test_a_label_deleted_meanwhile_does_not_come_back(box: Mailbox) -> None:
    message = box.deliver()
    work = box.label("Work")
    box.change(message, add_labels=[work])
    box.change(message, add_labels=["TRASH"])
    box.do(c.DeleteLabel, label_id=work)
    box.label("Work", work)
    box.change(message, remove_labels=["TRASH"])
    assert box.labels(message) == {"INBOX", "ALL"}


def test_a_label_made_anew_is_empty(box: Mailbox) -> None:
    message = box.deliver()
    work = box.label("Work")
    box.change(message, add_labels=[work])
    box.do(c.DeleteLabel, label_id=work)
    box.label("Work", work)
    outcome = box.change(message, add_labels=[work])
    assert box.seen.messages[message].labels[work] == outcome.seq


def test_a_message_whose_only_label_is_deleted_is_in_all(box: Mailbox) -> None:
    message = box.deliver()
    work = box.label("Work")
    box.change(message, add_labels=[work], remove_labels=["INBOX"])
    box.do(c.DeleteLabel, label_id=work)
    assert box.labels(message) == {"ALL"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"add_labels": ["ALL"]}, "forbidden-label"),
        ({"remove_labels": ["ALL"]}, "forbidden-label"),
        ({"add_labels": ["Work"]}, "unknown-label"),
        ({"remove_labels": ["Work"]}, "unknown-label"),
        ({"add_labels": ["INBOX"], "remove_labels": ["INBOX"]}, "conflicting-labels"),
        ({"add_labels": ["INBOX", "TRASH"]}, "conflicting-labels"),
        ({"add_flags": ["seen"], "remove_flags": ["seen"]}, "conflicting-flags"),
        ({"add_flags": [""]}, "invalid-flag"),
        ({"add_flags": ["x" * 101]}, "invalid-flag"),
        ({"add_flags": [f"k{i}" for i in range(101)]}, "too-many-flags"),
    ],
)
def test_a_wrong_wish_is_refused(box: Mailbox, fields: dict[str, list[str]], code: str) -> None:
    message = box.deliver()
    seq = box.seen.seq
    outcome = box.change(message, **fields)
    assert codes(outcome) == [code]
    assert outcome.seq == seq


def test_a_message_that_is_not_there_is_refused_and_the_others_are_changed(box: Mailbox) -> None:
    message = box.deliver()
    other = box.new_id()
    outcome = box.change(message, other, "no identifier", add_flags=["seen"])
    assert [(r.message_id, r.code) for r in outcome.refusals] == [
        (other, "unknown-message"),
        ("no identifier", "unknown-message"),
    ]
    assert box.seen.messages[message].flags == {"seen"}


def test_only_effective_changes_are_told(box: Mailbox) -> None:
    message = box.deliver()
    box.change(message, add_flags=["seen", "flagged"])
    box.change(message, add_flags=["seen"], remove_flags=["answered", "flagged"])
    last = box.events(e.Labelled)[-1]
    assert (last.flags_added, last.flags_removed, last.unread_changed) == ([], ["flagged"], 0)


def test_a_wish_that_changes_nothing_has_an_outcome_and_no_event(box: Mailbox) -> None:
    message = box.deliver()
    seq = box.seen.seq
    assert box.change(message, add_labels=["INBOX"]).seq == seq
    assert box.seen.seq == seq


def test_read_and_unread_are_told(box: Mailbox) -> None:
    message = box.deliver()
    box.change(message, add_flags=["seen"])
    box.change(message, remove_flags=["seen"])
    assert [x.unread_changed for x in box.events(e.Labelled)] == [1, -1, 1]


def test_each_message_has_an_event_of_its_own(box: Mailbox) -> None:
    messages = [box.deliver(), box.deliver()]
    box.change(*messages, add_flags=["seen"])
    told = box.events(e.Labelled)[-2:]
    assert [x.message_id for x in told] == messages
    assert told[0].event_id != told[1].event_id


def test_a_condition_holds_for_each_message_by_itself(box: Mailbox) -> None:
    one = box.deliver()
    at = box.seen.seq
    two = box.deliver()
    outcome = box.change(one, two, add_flags=["seen"], if_seq=at)
    assert [(r.message_id, r.code) for r in outcome.refusals] == [(two, "changed")]


def test_a_condition_on_the_mailbox_is_for_commands_without_messages(box: Mailbox) -> None:
    box.deliver()
    at = box.seen.seq
    work = box.new_id()
    assert not box.do(c.DefineLabel, name="Work", label_id=work, sealed=b"", if_seq=at).refusals
    outcome = box.do(c.DefineLabel, name="B", label_id=box.new_id(), sealed=b"", if_seq=at)
    assert codes(outcome) == ["changed"]


def test_an_expunged_message_is_gone_and_comes_back_as_it_was(box: Mailbox) -> None:
    message = box.deliver()
    box.change(message, add_flags=["flagged"])
    box.do(c.Expunge, message_ids=[message], window=WINDOW)
    assert message not in box.seen.messages
    assert codes(box.change(message, add_flags=["seen"])) == ["unknown-message"]
    box.wait(HOUR)
    outcome = box.do(c.Restore, message_ids=[message])
    seen = box.seen.messages[message]
    assert seen.labels == {"INBOX": outcome.seq, "ALL": outcome.seq}
    assert seen.flags == {"flagged"}


def test_what_restored_says_is_what_delivered_said(box: Mailbox) -> None:
    message = box.deliver(verdict="ham", attachments=("a.txt",))
    box.do(c.Expunge, message_ids=[message], window=WINDOW)
    box.do(c.Restore, message_ids=[message])
    told, again = box.events(e.Delivered)[0], box.events(e.Restored)[0]
    for name in ("mail_id", "thread_id", "verdict", "source", "size", "received_at",
                 "internal_date", "attachment_count", "raw_hmac", "reverse_path_hmac"):  # fmt: skip
        assert getattr(told, name) == getattr(again, name)


def test_after_its_window_a_message_does_not_come_back(box: Mailbox) -> None:
    message = box.deliver()
    box.do(c.Expunge, message_ids=[message], window=WINDOW)
    box.wait(HOUR + 1)
    assert codes(box.do(c.Restore, message_ids=[message])) == ["not-restorable"]


def test_a_message_that_is_there_is_not_restored(box: Mailbox) -> None:
    message = box.deliver()
    assert codes(box.do(c.Restore, message_ids=[message])) == ["not-restorable"]


def test_a_message_expunged_and_restored_in_its_own_batch(box: Mailbox) -> None:
    letter = box.letter()
    message = box.deliver(letter)
    box.do(c.Expunge, message_ids=[message], window=WINDOW)
    box.rig.content.contents.clear()
    assert codes(box.do(c.Restore, message_ids=[message])) == ["not-restorable"]


def test_a_message_restored_into_trash_still_knows_where_it_was(box: Mailbox) -> None:
    message = box.deliver()
    box.change(message, add_labels=["TRASH"])
    box.do(c.Expunge, message_ids=[message], window=WINDOW)
    box.do(c.Restore, message_ids=[message])
    assert box.labels(message) == {"TRASH"}
    box.change(message, remove_labels=["TRASH"])
    assert box.labels(message) == {"INBOX", "ALL"}


@pytest.mark.parametrize("expunged", [False, True])
def test_an_erased_message_is_gone_for_good(box: Mailbox, expunged: bool) -> None:
    message = box.deliver()
    if expunged:
        box.do(c.Expunge, message_ids=[message], window=WINDOW)
    assert not box.do(c.Erase, message_ids=[message]).refusals
    assert box.seen.erased == {message}
    assert codes(box.do(c.Restore, message_ids=[message])) == ["unknown-message"]
    assert codes(box.do(c.Erase, message_ids=[message])) == ["unknown-message"]


def test_the_end_of_the_window_erases_what_still_waits(box: Mailbox) -> None:
    message = box.deliver()
    box.do(c.Expunge, message_ids=[message], window=WINDOW)
    early = box.do(c.Erase, message_ids=[message], by="window")
    assert codes(early) == ["not-due"]
    box.wait(HOUR)
    assert not box.do(c.Erase, message_ids=[message], by="window").refusals


def test_the_end_of_the_window_spares_what_was_restored(box: Mailbox) -> None:
    message = box.deliver()
    box.do(c.Expunge, message_ids=[message], window=WINDOW)
    box.do(c.Restore, message_ids=[message])
    box.wait(2 * HOUR)
    assert codes(box.do(c.Erase, message_ids=[message], by="window")) == ["not-due"]


def test_a_lesson_is_told_once(box: Mailbox) -> None:
    message = box.deliver()
    for verdict in ("spam", "spam", "ham"):
        box.do(c.Teach, message_ids=[message], verdict=verdict)
    assert [x.verdict for x in box.events(e.Taught)] == ["spam", "ham"]
    outcome = box.do(c.Teach, message_ids=[message], verdict="unknown")
    assert codes(outcome) == ["invalid-verdict"]


def test_a_mailbox_that_is_not_open_takes_mail_only(box: Mailbox) -> None:
    assert codes(box.change(box.new_id(), add_flags=["seen"])) == ["unknown-mailbox"]
