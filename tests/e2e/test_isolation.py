"""Two accounts: whatever call there is, the names of the one open nothing for the other.

The calls and all that can be named in them are taken from the OpenAPI document. What this module
has no word for makes it fail, so a new call, parameter or field can't be forgotten.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.canaries import everything
from tests.e2e.suite import ANN, BOB, messages
from tests.system import System, mail, wait_until

PREFIX = "/api/v1"
STREAM = "/mailboxes/{mailboxId}/stream"
SIGNED = "/messages/{id}/attachments/{attachmentId}/content"
# Calls in which nothing can be named.
NAMELESS = {"/login", "/healthz", "/readyz", "/metrics", "/mailboxes"}
# Numbers, times, texts and choices: they name nothing of anybody's.
HARMLESS = {
    "attachmentId", "q", "maxResults", "includeSpam", "at", "minSeq", "since", "format", "erase",
    "expires", "signature", "Idempotency-Key", "If-Match", "Last-Event-ID", "isRead", "isStarred",
    "name", "color", "query", "archive", "star", "markRead", "neverSpam",
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """What one account has, by what names it: a parameter, a field, and the path it is for."""

    mailbox: str
    message: str
    thread: str
    label: str
    filter: str
    pages: dict[str, str]
    """Page tokens by the path of the list that they are of."""


@dataclass(frozen=True)
class Call:
    """One call, as one who has all that it names would make it."""

    method: str
    path: str
    operation: dict[str, Any]
    names: list[str]
    """What can be named in it: of the path, of the query and of the body."""

    @property
    def fields(self) -> list[str]:
        return [n.partition(" ")[2] for n in self.names if n.startswith("body ")]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    made = System(tmp_path_factory.mktemp("isolation") / "data")
    for name in ("ann", "bob"):
        made.add_account(name)
    made.start()
    for address in (ANN, BOB):
        made.send(everything(), [address], f"to-{address}")
        for n in range(3):
            raw = mail(f"plan {address} {n}", f"for {address}\r\n", References=f"<1@{address}>")
            made.send(raw, [address])
        with made.api(address) as api:
            wait_until(lambda a=api: len(messages(a, includeSpam=True)) == 4)
            api.post("/mailboxes/me/labels", json={"name": f"of {address}"}).raise_for_status()
            rule = {"query": f"from:{address}", "star": True}
            api.post("/mailboxes/me/filters", json=rule).raise_for_status()
    yield made
    assert made.stop() == 0


def names_of(api: httpx.Client) -> Names:
    box = api.get("/mailboxes/me").json()["id"]
    found = messages(api, includeSpam=True)
    message = next(m for m in found if m["hasAttachments"])
    thread = next(m["threadId"] for m in found if m["subject"].endswith(" 1"))
    label = api.get("/mailboxes/me/labels").json()["labels"][-1]["id"]
    rule = api.get("/mailboxes/me/filters").json()["filters"][-1]["id"]
    query = {"maxResults": 1, "includeSpam": True}
    pages = {
        path: api.get(
            path.replace("{mailboxId}", "me").replace("{id}", thread), params=query
        ).json()["nextPageToken"]
        for path in ("/mailboxes/{mailboxId}/messages", "/mailboxes/{mailboxId}/threads",
                     "/threads/{id}")
    }  # fmt: skip
    search = api.get("/mailboxes/me/messages", params={"q": "plan", "maxResults": 1}).json()
    pages["q"] = search["nextPageToken"]
    assert all(pages.values())
    return Names(box, message["id"], thread, label, rule, pages)


def another(names: Names) -> Names:
    """Names of the same form that nobody has."""
    # Another letter inside of the part of a token that says whose it is.
    pages = {k: ("A" if t[0] != "A" else "B") + t[1:] for k, t in names.pages.items()}
    return Names(*(str(uuid.uuid4()) for _ in range(5)), pages)


def calls(api: httpx.Client) -> list[Call]:
    document = api.get("/openapi.json").json()
    found: list[Call] = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            named = [f"{p['in']} {p['name']}" for p in operation.get("parameters", [])]
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                shape = document["components"]["schemas"][body.rpartition("/")[2]]
                named += [f"body {field}" for field in shape["properties"]]
            found.append(Call(method, path.removeprefix(PREFIX), operation, named))
    return found


def name_for(call: Call, name: str, of: Names) -> Any:
    """What stands in this call at that name. Raises KeyError for a name that is not known here."""
    kind = "thread" if call.path.startswith("/threads/") else "message"
    known: dict[str, Any] = {
        "path mailboxId": of.mailbox,
        "path id": getattr(of, kind),
        "path labelId": of.label,
        "path filterId": of.filter,
        "query mailbox": of.mailbox,
        "query labelIds": of.label,
        "query pageToken": of.pages.get(call.path),
        "body ids": [of.message],
        "body addLabelIds": [of.label],
        "body removeLabelIds": [of.label],
        "body threadId": of.thread,
    }
    return known[name]


def make(
    api: httpx.Client, call: Call, mine: Names, wrong: str, instead: Names, **more: Any
) -> httpx.Response:
    """Make a call in which all is one's own, but for what stands at `wrong`."""
    path, query, body = call.path, dict[str, Any](more), dict[str, Any]()
    for name in call.names:
        where, _, word = name.partition(" ")
        of = instead if name == wrong else mine
        if word in HARMLESS:
            continue
        if where == "path":
            path = path.replace(f"{{{word}}}", name_for(call, name, of))
        elif name == wrong and where == "query":
            query[word] = name_for(call, name, of)
        elif where == "body" and (name == wrong or word == "ids"):
            body[word] = name_for(call, name, of)
    path = path.replace("{attachmentId}", "3")
    if call.fields and ("query" in call.fields or not set(body) - {"ids"}):
        body |= {
            k: v
            for k, v in {"isRead": True, "name": "x", "query": "a", "star": True}.items()
            if k in call.fields
        }
    if call.path == SIGNED:
        query = {"mailbox": mine.mailbox, "expires": 2**40, "signature": "0" * 64} | query
    json = body if "requestBody" in call.operation else None
    return api.request(call.method.upper(), path, params=query, json=json)


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
        for call in calls(bob):
            for name in call.names:
                if call.path in NAMELESS or name.partition(" ")[2] in HARMLESS:
                    continue
                for more in ({}, {"erase": True}) if call.method == "delete" else ({},):
                    foreign, absent = (
                        make(bob, call, mine, name, x, **more) for x in (theirs, nobodys)
                    )
                    where = f"{call.method} {call.path}: {name}"
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
        nobody = Names(*(str(uuid.uuid4()) for _ in range(5)), {})
        for call in calls(api):
            if call.operation["security"]:
                answer = make(api, call, nobody, "", nobody)
                assert answer.status_code == 401, call.path
