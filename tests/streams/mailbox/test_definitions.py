"""Labels of a mailbox."""

from __future__ import annotations

import pytest

from infra.ports import Outcome
from schemas import commands as c
from streams.stage import Poison
from tests.streams.mailbox.kit import BOX, Mailbox, codes, record_of


@pytest.fixture
def box() -> Mailbox:
    made = Mailbox()
    made.do(c.OpenMailbox)
    return made


def define(box: Mailbox, name: str, label_id: str | None = None) -> Outcome:
    return box.do(c.DefineLabel, name=name, label_id=label_id or box.new_id(), sealed=b"")


def rename(box: Mailbox, label_id: str, name: str, color: str = "") -> Outcome:
    return box.do(c.RenameLabel, name=name, label_id=label_id, color=color, sealed=b"")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("work", "label-exists"),
        (" WORK ", "label-exists"),
        ("inbox", "label-exists"),
        ("Trash", "label-exists"),
        ("", "invalid-name"),
        ("  ", "invalid-name"),
        ("x" * 226, "invalid-name"),
        ("Work/2", None),
    ],
)
def test_names_are_unique_whatever_their_case(box: Mailbox, name: str, code: str | None) -> None:
    define(box, "Work")
    assert codes(define(box, name)) == ([code] if code else [])


@pytest.mark.parametrize(
    ("label_id", "code"),
    [("INBOX", "forbidden-label"), ("no identifier", "invalid-label")],
)
def test_a_wrong_identifier_is_refused(box: Mailbox, label_id: str, code: str) -> None:
    assert codes(define(box, "Work", label_id)) == [code]


def test_a_label_is_made_once(box: Mailbox) -> None:
    work = box.label("Work")
    assert codes(define(box, "Other", work)) == ["label-exists"]


def test_a_name_is_free_again_after_its_label(box: Mailbox) -> None:
    work = box.label("Work")
    box.do(c.DeleteLabel, label_id=work)
    assert box.seen.labels == {}
    box.label("Work")


def test_a_rename_may_change_case_or_colour_alone(box: Mailbox) -> None:
    work = box.label("Work")
    assert not rename(box, work, "WORK").refusals
    assert not rename(box, work, "WORK", "#00ff00").refusals
    assert box.seen.labels == {work: ("WORK", "#00ff00")}
    seq = box.seen.seq
    rename(box, work, "WORK", "#00ff00")
    assert box.seen.seq == seq


def test_a_renamed_label_keeps_its_messages(box: Mailbox) -> None:
    message, work = box.deliver(), box.label("Work")
    box.change(message, add_labels=[work])
    rename(box, work, "Home")
    assert work in box.labels(message)
    box.change(message, add_labels=["TRASH"])
    box.change(message, remove_labels=["TRASH"])
    assert work in box.labels(message)


def test_a_rename_onto_another_label_is_refused(box: Mailbox) -> None:
    box.label("Home")
    assert codes(rename(box, box.label("Work"), "home")) == ["label-exists"]


@pytest.mark.parametrize(
    ("label_id", "code"), [("SPAM", "forbidden-label"), ("nowhere", "unknown-label")]
)
def test_only_a_persons_own_labels_change(box: Mailbox, label_id: str, code: str) -> None:
    assert codes(rename(box, label_id, "Other")) == [code]
    assert codes(box.do(c.DeleteLabel, label_id=label_id)) == [code]


def test_names_are_found_again_after_recovery(box: Mailbox) -> None:
    box.label("Work")
    box.rig.connection.execute("delete from box_label")
    box.rig.connection.execute("delete from box")
    box.rig.stage.recover(box.rig.recorded)
    assert codes(define(box, "work")) == ["label-exists"]


def test_a_name_that_is_not_sealed_for_its_command_is_poison(box: Mailbox) -> None:
    box.label("Work")
    command = c.DefineLabel(
        command_id=box.new_id(),
        mailbox_id=BOX,
        occurred_at=0,
        actor="user",
        label_id=box.new_id(),
        sealed=b"",
    )
    with pytest.raises(Poison, match="seal-not-sealed"):
        box.rig.stage.plan([record_of(command)])
