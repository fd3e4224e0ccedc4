"""What threading reads of a digest."""

from __future__ import annotations

from schemas.parts import Digest, Mailbox
from streams.mailbox.clues import MOST_REFERENCES, Clues, clues_of
from tests.fakes import FINGERPRINT

BOX, MAIL = "box", "mail"


def clues(**given: object) -> Clues:
    fields: dict[str, object] = {"author": [], "subject": "", "snippet": "", **given}
    return clues_of(Digest(**fields), FINGERPRINT.in_mailbox, BOX, MAIL)  # type: ignore[arg-type]


def person(address: str) -> Mailbox:
    return Mailbox(name="", address=address)


def test_brackets_around_an_identifier_do_not_count() -> None:
    assert clues(references=["a@x"]).references == clues(references=["<a@x>"]).references


def test_the_parent_stands_last() -> None:
    found = clues(references=["r@x"], in_reply_to=["p@x"])
    assert found.references == clues(references=["r@x", "p@x"]).references
    assert found.from_references == 1


def test_too_many_references_lose_their_middle() -> None:
    names = [f"{i}@x" for i in range(300)]
    found = clues(references=names, in_reply_to=["p@x"]).references
    assert len(found) == MOST_REFERENCES
    assert found[0] == clues(references=["0@x"]).references[0]
    assert found[-2:] == clues(references=["299@x", "p@x"]).references


def test_the_list_itself_is_no_participant() -> None:
    talk = {"author": [person("ann@a.test")], "to": [person("talk@lists.x.test")]}
    assert len(clues(**talk).participants) == 2
    for list_id in ("talk.lists.x.test", "Talk <talk.lists.x.test>"):
        assert len(clues(**talk, list_id=list_id).participants) == 1


def test_a_participant_counts_once_however_written() -> None:
    found = clues(author=[person("ann@a.test")], to=[person("ANN@A.test")])
    assert len(found.participants) == 1


def test_the_same_words_have_other_fingerprints_in_another_mailbox() -> None:
    digest = Digest(author=[], subject="Plan", snippet="", message_id_header="<a@x>")
    one = clues_of(digest, FINGERPRINT.in_mailbox, "one", MAIL)
    two = clues_of(digest, FINGERPRINT.in_mailbox, "two", MAIL)
    assert one.message != two.message
    assert one.subject != two.subject
