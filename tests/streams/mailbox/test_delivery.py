"""Mail comes in once, wherever it comes from and however often."""

from __future__ import annotations

import pytest

from infra.ports import Record
from schemas import commands as c
from schemas import identity
from schemas import mailbox_events as e
from schemas.parts import Digest
from schemas.seal import unseal
from streams.mailbox import preparation
from streams.stage import Poison
from tests.model.letters import Letter, content_of, deliver
from tests.streams.mailbox.kit import BOX, DAY, MINUTE, Mailbox, record_of


def digest_in(box: Mailbox, event: e.Delivered | e.Restored) -> Digest:
    key = box.rig.keys.get([event.message_id])[event.message_id]
    return unseal(Digest, event.sealed, key, event.event_id)


def test_a_delivery_opens_the_mailbox_threads_labels_and_delivers() -> None:
    box = Mailbox()
    box.deliver()
    kinds = [kind for _, kind, _ in box.seen.history]
    assert kinds == ["MailboxOpened", "Threaded", "Labelled", "Delivered"]


def test_the_uid_in_a_label_is_the_seq_that_put_it_there() -> None:
    box = Mailbox()
    message = box.deliver()
    assert box.seen.messages[message].labels == {"INBOX": 3, "ALL": 3}


def test_opening_an_open_mailbox_changes_nothing() -> None:
    box = Mailbox()
    assert box.do(c.OpenMailbox).seq == 1
    assert box.do(c.OpenMailbox).seq == 1


def test_a_mail_that_the_mailbox_has_is_not_delivered_again() -> None:
    box = Mailbox()
    letter = box.letter()
    box.deliver(letter)
    seq = box.seen.seq
    box.deliver(letter)
    assert box.seen.seq == seq


@pytest.mark.parametrize("gone", [c.Erase, c.Expunge])
def test_nor_when_it_is_gone(gone: type[c.Erase] | type[c.Expunge]) -> None:
    box = Mailbox()
    letter = box.letter(source="import")
    message = box.deliver(letter)
    window = {"window": 60} if gone is c.Expunge else {}
    box.do(gone, message_ids=[message], **window)
    box.deliver(letter)
    assert message not in box.seen.messages


@pytest.mark.parametrize(
    ("apart", "path", "retry"),
    [
        (MINUTE, "ann@a.test", True),
        (5 * DAY, "ann@a.test", True),
        (5 * DAY + 1, "ann@a.test", False),
        (MINUTE, "bob@b.test", False),
        (-MINUTE, "ann@a.test", True),
    ],
)
def test_a_senders_retry_is_known_for_five_days(apart: int, path: str, retry: bool) -> None:
    box = Mailbox()
    first = box.deliver(text="the same", received_at=box.now)
    second = box.letter(text="the same", received_at=box.now + apart, reverse_path=path)
    box.deliver(second)
    assert box.seen.retries == ({second.mail_id: first} if retry else {})
    assert len(box.seen.messages) == (1 if retry else 2)


def test_an_import_is_no_retry() -> None:
    box = Mailbox()
    box.deliver(text="the same")
    box.deliver(text="the same", source="import")
    assert len(box.seen.messages) == 2


def test_labels_that_an_import_asks_for_and_do_not_exist_are_left_out() -> None:
    box = Mailbox()
    box.do(c.OpenMailbox)
    work = box.label("Work")
    assert box.labels(
        box.deliver(source="import", labels=(work, box.new_id()), flags=("seen",))
    ) == {work, "ALL"}
    assert box.events(e.Labelled)[0].unread_changed == 0


def test_the_digest_holds_the_trace_fields_as_they_were_composed() -> None:
    box = Mailbox()
    box.deliver(reverse_path="ann@a.test")
    assert digest_in(box, box.events(e.Delivered)[0]).trace == b"Return-Path: <ann@a.test>\r\n"


def test_a_defect_in_threading_delivers_plainly() -> None:
    box = Mailbox()
    box.deliver(message_id="<a@x>")
    box.rig.connection.execute("delete from box_thread")
    message = box.deliver(message_id="<b@x>", references=("<a@x>",), verdict="spam")
    assert box.labels(message) == {"INBOX", "ALL"}
    assert box.events(e.Threaded)[-1].by == "fallback"
    assert digest_in(box, box.events(e.Delivered)[-1]).unreadable


def test_a_defect_in_reading_delivers_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    box = Mailbox()
    with monkeypatch.context() as m:
        m.setattr(preparation, "clues_of", broken)
        message = box.deliver()
    assert box.labels(message) == {"INBOX", "ALL"}
    assert box.events(e.Threaded)[-1].by == "fallback"


def undeliverable(box: Mailbox, letter: Letter) -> str:
    command = deliver(letter, BOX, box.new_id(), box.now)
    with pytest.raises(Poison) as poison:
        box.rig.stage.plan([record_of(command)])
    return poison.value.code


def test_without_its_content_a_mail_is_poison() -> None:
    box = Mailbox()
    assert undeliverable(box, box.letter()) == "content-missing"


def test_without_its_key_a_mail_is_poison() -> None:
    box = Mailbox()
    letter = box.letter()
    box.rig.content.put({letter.mail_id: content_of(letter, b"k" * 32)})
    assert undeliverable(box, letter) == "key-missing"


def test_under_another_key_a_mail_is_poison() -> None:
    box = Mailbox()
    letter = box.letter()
    box.rig.content.put({letter.mail_id: content_of(letter, b"k" * 32)})
    box.rig.keys.put({letter.mail_id: b"x" * 32})
    assert undeliverable(box, letter) == "seal-wrong-key"


def test_a_known_mail_needs_no_content() -> None:
    box = Mailbox()
    letter = box.letter()
    box.deliver(letter)
    box.rig.content.contents.clear()
    box.rig.stage.plan([record_of(deliver(letter, BOX, box.new_id(), box.now))])


def test_a_record_that_is_no_command_is_poison() -> None:
    box = Mailbox()
    record = record_of(deliver(box.letter(), BOX, box.new_id(), 0))
    damaged = Record(record.topic, 0, 0, BOX, "Deliver", record.event_id, 0, record.value[:-3])
    with pytest.raises(Poison, match="codec"):
        box.rig.stage.plan([damaged])


def test_a_mailbox_that_is_no_identifier_is_poison() -> None:
    box = Mailbox()
    command = c.OpenMailbox(command_id=box.new_id(), mailbox_id="x", occurred_at=0, actor="admin")
    with pytest.raises(Poison, match="not-an-identifier"):
        box.rig.stage.plan([record_of(command)])


def test_the_message_is_named_by_mailbox_and_mail() -> None:
    box = Mailbox()
    letter = box.letter()
    box.deliver(letter)
    assert box.events(e.Delivered)[0].message_id == identity.message_id(BOX, letter.mail_id)


def test_time_never_runs_backwards_within_a_mailbox() -> None:
    box = Mailbox()
    box.deliver()
    before = box.events(e.Delivered)[-1].recorded_at
    box.wait(-DAY)
    box.deliver()
    assert box.events(e.Delivered)[-1].recorded_at == before
