"""Filters: what is refused, and what they do to new mail."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import commands as c
from schemas import mailbox_events as e
from schemas.identity import to_bytes
from schemas.parts import FilterSecret
from schemas.seal import seal, unseal
from tests.model.letters import content_of, deliver
from tests.streams.mailbox.kit import BOX, Mailbox, codes, record_of


@pytest.fixture
def box() -> Mailbox:
    box = Mailbox()
    box.do(c.OpenMailbox)
    return box


def define(box: Mailbox, query: str = "from:ann", **fields: Any) -> list[str]:
    given = {"filter_id": box.new_id(), **fields}
    return codes(box.do(c.DefineFilter, query=query, **given, sealed=b""))


def labelled(box: Mailbox) -> e.Labelled:
    return box.events(e.Labelled)[-1]


def test_a_filter_is_made_changed_and_deleted(box: Mailbox) -> None:
    filter_id = box.filter("from:ann", star=True)
    box.filter("from:bob", filter_id, archive=True)
    gone = {"filter_id": filter_id, "deleted": True, "sealed": b""}
    assert not box.do(c.DefineFilter, query="", **gone).refusals
    assert [x.deleted for x in box.events(e.FilterDefined)] == [False, False, True]
    assert codes(box.do(c.DefineFilter, query="", **gone)) == ["unknown-filter"]


def test_the_query_is_sealed_for_its_event_and_gone_with_the_filter(box: Mailbox) -> None:
    filter_id = box.filter("from:ann", star=True)
    box.do(c.DefineFilter, query="from:ann", filter_id=filter_id, deleted=True, sealed=b"")
    made, deleted = box.events(e.FilterDefined)
    key = box.rig.keys.keys[BOX]
    assert unseal(FilterSecret, made.sealed, key, made.event_id).query == "from:ann"
    assert deleted.sealed == b""


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"star": True, "filter_id": "one"}, "invalid-filter"),
        ({"labels": ["nowhere"]}, "unknown-label"),
        ({"labels": ["ALL"]}, "forbidden-label"),
        ({"labels": ["SENT"]}, "forbidden-label"),
        ({"labels": ["TRASH", "INBOX"]}, "conflicting-labels"),
        ({"labels": ["INBOX"], "archive": True}, "conflicting-labels"),
        ({"labels": ["SPAM"], "never_spam": True}, "conflicting-labels"),
        ({}, "no-action"),
        ({"star": True, "query": "from:"}, "invalid-query"),
        ({"star": True, "query": ""}, "invalid-query"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(
    box: Mailbox, fields: dict[str, Any], code: str
) -> None:
    assert define(box, **fields) == [code]


@pytest.mark.parametrize(
    ("actions", "labels", "flags"),
    [
        ({"archive": True}, {"ALL"}, set()),
        ({"star": True}, {"INBOX", "ALL"}, {"flagged"}),
        ({"read": True}, {"INBOX", "ALL"}, {"seen"}),
        ({"labels": ["TRASH"], "star": True}, {"TRASH"}, {"flagged"}),
        ({"labels": ["SPAM"]}, {"SPAM"}, set()),
        ({"archive": True, "star": True, "read": True}, {"ALL"}, {"flagged", "seen"}),
        ({"never_spam": True}, {"INBOX", "ALL"}, set()),
    ],
)
def test_what_a_filter_asks_for_is_done(
    box: Mailbox, actions: dict[str, Any], labels: set[str], flags: set[str]
) -> None:
    box.filter("from:ann", **actions)
    message = box.deliver()
    seen = box.seen.messages[message]
    assert (set(seen.labels), set(seen.flags)) == (labels, flags)


def test_mail_that_a_filter_does_not_match_is_delivered_as_ever(box: Mailbox) -> None:
    box.filter("from:bob", star=True, archive=True)
    assert box.labels(box.deliver()) == {"INBOX", "ALL"}
    assert (labelled(box).by, labelled(box).filters) == ("delivery", [])


def test_the_event_names_the_filters_that_had_a_part(box: Mailbox) -> None:
    one = box.filter("from:ann", star=True)
    box.filter("from:bob", read=True)
    two = box.filter("subject:plan", archive=True)
    box.deliver(subject="Plan")
    assert (labelled(box).by, labelled(box).filters) == ("filter", [one, two])


def test_filters_look_at_the_mail_as_it_came_whatever_others_do(box: Mailbox) -> None:
    box.filter("from:ann", archive=True, star=True)
    label = box.label("Work")
    box.filter("in:inbox is:unread -is:starred", labels=[label])
    assert box.labels(box.deliver()) == {label, "ALL"}


def test_a_filter_that_asks_for_the_inbox_outweighs_one_that_archives(box: Mailbox) -> None:
    box.filter("from:ann", archive=True)
    box.filter("subject:plan", labels=["INBOX"])
    assert box.labels(box.deliver(subject="Plan")) == {"INBOX", "ALL"}


def test_a_label_that_was_deleted_is_not_added_nor_is_another_in_its_place(box: Mailbox) -> None:
    label = box.label("Work")
    box.filter("from:ann", labels=[label], star=True)
    box.do(c.DeleteLabel, label_id=label)
    message = box.deliver()
    assert box.labels(message) == {"INBOX", "ALL"}
    assert box.seen.messages[message].flags == {"flagged"}
    box.label("Work", label)
    assert box.labels(box.deliver()) == {"INBOX", "ALL"}


@pytest.mark.parametrize(
    ("judged", "labels"),
    [
        ({"verdict": "spam"}, {"INBOX", "ALL"}),
        ({"verdict": "phishing"}, {"SPAM"}),
        ({"verdict": "ham", "disposition": "quarantine"}, {"SPAM"}),
        ({"verdict": "spam", "disposition": "reject"}, {"SPAM"}),
    ],
)
def test_never_spam_outweighs_the_score_and_nothing_that_tells_of_forgery(
    box: Mailbox, judged: dict[str, Any], labels: set[str]
) -> None:
    box.filter("from:ann", never_spam=True)
    assert box.labels(box.deliver(**judged)) == labels


def test_mail_that_stays_in_spam_is_left_as_it_is(box: Mailbox) -> None:
    label = box.label("Work")
    box.filter("from:ann", labels=[label], star=True, read=True)
    message = box.deliver(verdict="spam")
    assert box.labels(message) == {"SPAM"}
    assert not box.seen.messages[message].flags
    assert (labelled(box).by, labelled(box).filters) == ("verdict", [])


def test_mail_kept_out_of_spam_gets_what_other_filters_ask_for(box: Mailbox) -> None:
    label = box.label("Work")
    box.filter("from:ann", never_spam=True)
    box.filter("in:spam", labels=[label], archive=True)
    assert box.labels(box.deliver(verdict="spam")) == {label, "ALL"}


def test_an_import_goes_where_its_person_says(box: Mailbox) -> None:
    box.filter("from:ann", archive=True)
    assert box.labels(box.deliver(source="import")) == {"INBOX", "ALL"}


def test_a_filter_looks_into_the_text(box: Mailbox) -> None:
    box.filter('body:"needle in"', star=True)
    message = box.deliver(text="hay, a needle in it")
    assert box.seen.messages[message].flags == {"flagged"}


def test_a_filter_holds_for_mail_that_arrives_in_its_batch_behind_it(box: Mailbox) -> None:
    key = box.rig.keys.ensure([BOX])[BOX]
    letters = [box.letter(text="one"), box.letter(text="two")]
    for x in letters:
        content = content_of(x, box.rig.keys.ensure([x.mail_id])[x.mail_id])
        box.rig.content.put({x.mail_id: content})
    identity = box.new_id()
    filter_ = c.DefineFilter(
        command_id=identity,
        mailbox_id=BOX,
        occurred_at=box.now,
        actor="user",
        filter_id=box.new_id(),
        star=True,
        sealed=seal(FilterSecret(query="body:one OR body:two"), key, identity),
    )
    first, second = (deliver(x, BOX, box.new_id(), box.now) for x in letters)
    plan = box.rig.stage.plan([record_of(x) for x in (first, filter_, second)])
    told = [d.event for d in plan.drafts if isinstance(d.event, e.Labelled)]
    assert [x.flags_added for x in told] == [[], ["flagged"]]


def test_a_filter_that_can_not_be_read_stops_neither_mail_nor_other_filters(box: Mailbox) -> None:
    one = box.filter("from:ann", star=True)
    two = box.filter("from:ann larger:1", read=True)
    # A query of a version whose language this one does not know.
    box.rig.connection.execute(
        "update box_filter set sealed = x'00' where filter_id = ?", (to_bytes(one),)
    )
    message = box.deliver()
    assert box.seen.messages[message].flags == {"seen"}
    assert (labelled(box).filters, labelled(box).filters_failed) == ([two], [one])


def test_filters_are_found_again_after_recovery(box: Mailbox) -> None:
    box.filter("from:ann", star=True)
    box.rig.connection.execute("delete from box_filter")
    box.rig.connection.execute("delete from box")
    box.rig.stage.recover(box.rig.recorded)
    message = box.deliver()
    assert box.seen.messages[message].flags == {"flagged"}


def test_a_mailbox_without_filters_asks_for_no_content_and_no_table(box: Mailbox) -> None:
    asked: list[str] = []
    box.rig.connection.exec_trace = lambda _, sql, __: asked.append(sql) is None
    box.deliver()
    assert not [x for x in asked if "box_label" in x]
