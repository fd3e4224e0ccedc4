from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import commands as c
from schemas.identity import message_id
from schemas.labels import INBOX, TRASH
from tests.contracts.runners import Killed
from tests.streams.lifecycle.rig import ANN, BOB, CYD, DAY, GRACE, Rig

WINDOW = 30 * DAY // 1_000_000
SECOND = 1_000_000


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def gone(rig: Rig, mail_id: str) -> bool:
    return (
        not rig.has_key(mail_id)
        and mail_id in rig.keys.destroyed([mail_id])
        and not rig.content.get([mail_id])
    )


def test_an_erased_message_loses_its_digest_key_and_the_mail_its_own(rig: Rig) -> None:
    mail_id = rig.mail([ANN])
    other = rig.mail([ANN])
    rig.settle()
    message = message_id(ANN, mail_id)
    assert rig.has_key(message)
    rig.do(c.Erase, message_ids=[message])
    assert not rig.has_key(message)
    assert gone(rig, mail_id)
    assert rig.has_key(other)
    assert rig.has_key(message_id(ANN, other))


def test_a_mail_stays_until_the_last_of_its_mailboxes_has_erased_it(rig: Rig) -> None:
    mail_id = rig.mail([ANN, BOB, CYD])
    rig.settle()
    for box in (BOB, CYD):
        rig.do(c.Erase, box, message_ids=[message_id(box, mail_id)])
        assert not rig.has_key(message_id(box, mail_id))
        assert rig.has_key(mail_id)
        assert rig.content.get([mail_id])
    rig.do(c.Erase, ANN, message_ids=[message_id(ANN, mail_id)])
    assert gone(rig, mail_id)


def test_a_mail_stays_while_one_of_its_mailboxes_has_not_judged_it(rig: Rig) -> None:
    mail_id = rig.mail([ANN, BOB], deliver_to=[ANN])
    rig.settle()
    rig.do(c.Erase, message_ids=[message_id(ANN, mail_id)])
    assert rig.has_key(mail_id)
    rig.deliver_late(mail_id, BOB)
    assert rig.told(message_id(BOB, mail_id))[-1] == "Delivered"
    rig.do(c.Erase, BOB, message_ids=[message_id(BOB, mail_id)])
    assert gone(rig, mail_id)


def test_the_content_of_a_retry_goes_at_once_for_nobody_reads_it(rig: Rig) -> None:
    first = rig.mail([ANN], "the same")
    rig.settle()
    again = rig.mail([ANN], "the same")
    rig.settle()
    assert "Duplicate" in [type(x).__name__ for x in rig.events()]
    assert gone(rig, again)
    assert rig.has_key(first)
    rig.wait(2 * GRACE)
    assert rig.has_part("the same")


def test_parts_go_after_their_time_when_no_mail_needs_them(rig: Rig) -> None:
    mail_id = rig.mail([ANN], "large")
    rig.settle()
    rig.do(c.Erase, message_ids=[message_id(ANN, mail_id)])
    assert rig.has_part("large")
    rig.wait(GRACE + 1)
    assert not rig.has_part("large")
    assert rig.garbage.next() is None


def test_the_undelete_window_ends_in_erasure(rig: Rig) -> None:
    mail_id = rig.mail([ANN])
    rig.settle()
    message = message_id(ANN, mail_id)
    rig.do(c.Expunge, message_ids=[message], window=WINDOW)
    rig.wait(WINDOW - 1)
    assert rig.has_key(message)
    rig.wait(1)
    assert rig.told(message)[-2:] == ["Expunged", "Erased"]
    assert gone(rig, mail_id)
    assert rig.timers.next() is None


def test_a_message_that_was_restored_is_not_erased(rig: Rig) -> None:
    mail_id = rig.mail([ANN])
    rig.settle()
    message = message_id(ANN, mail_id)
    rig.do(c.Expunge, message_ids=[message], window=WINDOW)
    rig.wait(WINDOW / 2)
    assert not rig.do(c.Restore, message_ids=[message]).refusals
    rig.wait(WINDOW)
    assert rig.told(message)[-1] == "Restored"
    rig.do(c.Expunge, message_ids=[message], window=WINDOW)
    rig.wait(WINDOW)
    assert rig.told(message)[-1] == "Erased"


def test_trash_is_expunged_after_thirty_days_whatever_happens_to_its_flags(rig: Rig) -> None:
    mail_id = rig.mail([ANN])
    rig.settle()
    message = message_id(ANN, mail_id)
    rig.do(c.ChangeLabels, message_ids=[message], add_labels=[TRASH])
    rig.wait(29 * 86_400)
    rig.do(c.ChangeLabels, message_ids=[message], add_flags=["seen"])
    rig.wait(86_400)
    assert rig.told(message)[-1] == "Expunged"
    rig.wait(WINDOW)
    assert rig.told(message)[-1] == "Erased"


def test_spam_is_expunged_after_seven_days(rig: Rig) -> None:
    mail_id = rig.mail([ANN], verdict="spam")
    rig.settle()
    rig.wait(7 * 86_400 - 1)
    assert rig.told(message_id(ANN, mail_id))[-1] == "Delivered"
    rig.wait(1)
    assert rig.told(message_id(ANN, mail_id))[-1] == "Expunged"


def test_a_second_stay_in_trash_begins_a_new_period(rig: Rig) -> None:
    mail_id = rig.mail([ANN])
    rig.settle()
    message = message_id(ANN, mail_id)
    rig.do(c.ChangeLabels, message_ids=[message], add_labels=[TRASH])
    rig.wait(20 * 86_400)
    rig.do(c.ChangeLabels, message_ids=[message], remove_labels=[TRASH])
    rig.do(c.ChangeLabels, message_ids=[message], add_labels=[TRASH])
    rig.wait(20 * 86_400)
    assert rig.told(message)[-1] == "Labelled"
    rig.do(c.ChangeLabels, message_ids=[message], add_labels=[INBOX])
    rig.wait(30 * 86_400)
    assert rig.told(message)[-1] == "Labelled"


def test_what_still_comes_to_a_removed_account_is_erased(rig: Rig) -> None:
    rig.mail([ANN, BOB])
    rig.settle()
    rig.keys.destroy([ANN])
    late = rig.mail([ANN, BOB])
    rig.settle()
    assert rig.told(message_id(ANN, late))[-1] == "Erased"
    assert rig.told(message_id(BOB, late))[-1] == "Delivered"
    assert rig.has_key(late)


def test_a_deliver_that_comes_again_after_the_erasure_changes_nothing(rig: Rig) -> None:
    mail_id = rig.mail([ANN])
    rig.settle()
    rig.do(c.Erase, message_ids=[message_id(ANN, mail_id)])
    before = len(rig.events())
    reader = rig.log.reader("mailbox.commands", {})
    first = reader.poll(1, 0)[0].decode()
    reader.close()
    fields = {n: getattr(first, n) for n in first.__struct_fields__}
    again = {k: v for k, v in fields.items() if k not in _HEAD}
    assert rig.do(c.Deliver, **again).refusals == ()
    other = {**again, "mail_id": rig.new_id()}
    rig.keys.destroy([other["mail_id"]])
    refused = rig.do(c.Deliver, **{**other, "raw_hmac": b"x" * 32}).refusals
    assert [r.code for r in refused] == ["erased"]
    assert len(rig.events()) == before


_HEAD = {"command_id", "mailbox_id", "occurred_at", "actor"}

POINTS = [
    *(f"lifecycle.{p}" for p in ("planned", "settled", "outputs", "state", "position")),
    *(f"timers.{p}" for p in ("due", "given", "done")),
    *(f"garbage.{p}" for p in ("begun", "asked", "aside", "last", "unlinked", "done")),
    *(f"mailbox.{p}" for p in ("settled", "outputs", "state", "position", "committed")),
]


def story(rig: Rig) -> tuple[list[tuple[str, str]], list[bool]]:
    """Mails come, are thrown away, forgotten and erased; return what can be told afterwards."""
    mails = [
        rig.mail([ANN, BOB], "shared"),
        rig.mail([ANN], "own"),
        rig.mail([BOB], verdict="spam"),
    ]
    rig.settle()
    ann = [message_id(ANN, m) for m in mails]
    rig.do(c.ChangeLabels, message_ids=[ann[1]], add_labels=[TRASH])
    rig.do(c.Erase, message_ids=[ann[0]])
    rig.wait(31 * 86_400)
    rig.wait(31 * 86_400)
    rig.do(c.Erase, BOB, message_ids=[message_id(BOB, mails[0])])
    rig.wait(2 * GRACE)
    told = [
        (type(x).__name__, getattr(x, "message_id", ""))
        for x in rig.events()
        if x.mailbox_id == ANN
    ]
    told += [
        (type(x).__name__, getattr(x, "message_id", ""))
        for x in rig.events()
        if x.mailbox_id == BOB
    ]
    left = [rig.has_key(m) for m in (*mails, *ann)] + [bool(rig.content.get([m])) for m in mails]
    left += [rig.has_part("shared"), rig.has_part("own"), rig.timers.next() is None]
    return told, left


@pytest.mark.parametrize("point", POINTS)
def test_dying_anywhere_cannot_be_told_afterwards(tmp_path: Path, point: str) -> None:
    (tmp_path / "undisturbed").mkdir()
    (tmp_path / "killed").mkdir()
    undisturbed, killed = Rig(tmp_path / "undisturbed"), Rig(tmp_path / "killed")
    count = 0

    def die(name: str) -> None:
        nonlocal count
        if name == point:
            count += 1
            # Each time it is reached for the first time, and then every third time.
            if count % 3 == 1:
                raise Killed(name)

    killed.point = die
    assert story(killed) == story(undisturbed)
    assert count > 0
    undisturbed.close()
    killed.close()
