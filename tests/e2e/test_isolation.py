"""Two accounts: whatever call there is, the names of the one open nothing for the other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.suite import ANN, BOB, messages
from tests.e2e.two_accounts import (
    HARMLESS,
    NAMELESS,
    Names,
    another,
    calls,
    make,
    name_for,
    names_of,
    tries,
    two_accounts,
)
from tests.system import System


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    made = two_accounts(tmp_path_factory.mktemp("isolation"))
    yield made
    assert made.stop() == 0


def told(answer: httpx.Response, names: Names) -> tuple[int, str, list[str]]:
    """An answer without what differs from one request to the next and without what was asked."""
    text = answer.text
    if answer.headers.get("content-type") == "application/json":
        told = answer.json()
        told.pop("requestId", None)
        text = str(told)
    for name in (names.mailbox, names.message, names.thread, names.label, names.filter):
        text = text.replace(name, "NAME")
    return answer.status_code, text, sorted(answer.headers)


def test_what_can_be_named_is_known_here(system: System) -> None:
    with system.api(ANN) as api:
        mine = names_of(api)
        for call in calls(api):
            words = [n.partition(" ")[2] for n in call.names]
            assert call.path in NAMELESS or set(words) - HARMLESS, call.path
            for name, word in zip(call.names, words, strict=True):
                assert call.path in NAMELESS or word in HARMLESS or name_for(call, name, mine)


def test_a_name_of_somebody_else_is_answered_as_one_that_nobody_has(system: System) -> None:
    tried = 0
    with system.api(ANN) as ann, system.api(BOB) as bob:
        theirs, mine = names_of(ann), names_of(bob)
        nobodys = another(theirs)
        before = ann.get("/mailboxes/me/history").json()
        for call, name, more in tries(calls(bob), mine):
            foreign, absent = (make(bob, call, mine, name, x, **more) for x in (theirs, nobodys))
            where = f"{call.method} {call.path} {more}: {name}"
            assert told(foreign, theirs) == told(absent, nobodys), where
            if name == "body ids":
                # A batch tells of each of its messages.
                assert foreign.json()["messages"] == []
                assert [r["error"] for r in foreign.json()["refused"]] == ["NOT_FOUND"]
            elif name == "query labelIds":
                # A list of what is in a label that is not there is empty.
                assert not any(v for v in foreign.json().values())
            else:
                assert foreign.status_code in (403, 404), where
            tried += 1
        assert ann.get("/mailboxes/me/history").json() == before
    assert tried > 30


def test_a_page_of_somebody_else_s_search_is_none(system: System) -> None:
    with system.api(ANN) as ann, system.api(BOB) as bob:
        theirs = names_of(ann).pages["q"]
        query = {"q": "plan", "maxResults": 1, "pageToken": theirs}
        assert ann.get("/mailboxes/me/messages", params=query).status_code == 200
        assert bob.get("/mailboxes/me/messages", params=query).status_code == 404
        named = f"/mailboxes/{names_of(ann).mailbox}/messages"
        assert bob.get(named, params=query).status_code == 404


def test_a_signed_address_opens_nothing_but_what_it_was_signed_for(system: System) -> None:
    with system.api(ANN) as ann, system.api(BOB) as bob:
        theirs, mine = names_of(ann), names_of(bob)
        location = bob.get(f"/messages/{mine.message}/attachments/3").headers["location"]
        signed = str(bob.base_url.join(urlsplit(location).path)) + "?" + urlsplit(location).query
        assert httpx.get(signed).status_code == 200
        for own, other in ((mine.mailbox, theirs.mailbox), (mine.message, theirs.message)):
            assert httpx.get(signed.replace(own, other)).status_code == 403


def test_somebody_else_s_key_of_a_command_is_not_one_s_own(system: System) -> None:
    key = {"Idempotency-Key": "the same"}
    with system.api(ANN) as ann, system.api(BOB) as bob:
        for api in (ann, bob):
            label = api.post("/mailboxes/me/labels", json={"name": "twice"}, headers=key)
            assert label.status_code == 201
            there = api.get("/mailboxes/me/labels").json()["labels"]
            assert [x["name"] for x in there].count("twice") == 1


def test_the_feed_of_one_tells_nothing_of_the_other(system: System) -> None:
    with system.api(ANN) as ann, system.api(BOB) as bob:
        theirs = names_of(ann)
        told = bob.get("/mailboxes/me/history").text + bob.get("/mailboxes/me/contacts?q=").text
        for mine in messages(bob, includeSpam=True):
            told += bob.get(f"/messages/{mine['id']}/trace").text
        for name in (theirs.mailbox, theirs.message, theirs.thread, theirs.label, ANN):
            assert name not in told


def test_a_token_that_was_taken_back_opens_nothing(system: System) -> None:
    gone = system.add_account("gone")
    with system.api(gone) as api:
        assert api.get("/mailboxes").status_code == 200
        system.run("account", "remove", gone)
        nobody = Names(*(str(uuid.uuid4()) for _ in range(5)), {}, "")
        for call in calls(api):
            if call.operation["security"]:
                answer = make(api, call, nobody, "", nobody)
                assert answer.status_code == 401, call.path
