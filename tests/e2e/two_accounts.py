"""Two accounts, and every call of the OpenAPI document with what can be named in it.

What this module has no word for raises KeyError, so a new call, parameter or field can't be
forgotten by the tests that go by it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.canaries import everything
from tests.e2e.suite import ANN, BOB, messages
from tests.system import System, mail, wait_until

PREFIX = "/api/v1"
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
    """Page tokens by the path of the list that they are of; "q" for one of a search."""
    then: str
    """A time of the past at which the mail was there already."""


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


def two_accounts(folder: Path) -> System:
    """Return an installation, started, in which ann and bob have mail, a label and a filter."""
    made = System(folder / "data")
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
            # All of it has a past.
            ids = [m["id"] for m in messages(api, includeSpam=True)]
            change = {"ids": ids, "isStarred": True, "addLabelIds": ["TRASH"]}
            api.post("/mailboxes/me/messages/batchModify", json=change).raise_for_status()
            change = {"ids": ids, "addLabelIds": ["INBOX"], "removeLabelIds": ["TRASH"]}
            api.post("/mailboxes/me/messages/batchModify", json=change).raise_for_status()
            api.post("/mailboxes/me/labels", json={"name": f"of {address}"}).raise_for_status()
            rule = {"query": f"from:{address}", "star": True}
            api.post("/mailboxes/me/filters", json=rule).raise_for_status()
    return made


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
    events = api.get("/mailboxes/me/history").json()["events"]
    then = next(x["recordedAt"] for x in events[::-1] if x["type"] == "Delivered")
    return Names(box, message["id"], thread, label, rule, pages, then)


def another(names: Names) -> Names:
    """Names of the same form that nobody has."""
    # Another letter inside of the part of a token that says whose it is.
    pages = {k: ("A" if t[0] != "A" else "B") + t[1:] for k, t in names.pages.items()}
    return Names(*(str(uuid.uuid4()) for _ in range(5)), pages, names.then)


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


def tries(found: Iterable[Call], mine: Names) -> Iterator[tuple[Call, str, dict[str, str]]]:
    """Yield each place for a name in each call, with what else the call is asked."""
    ways = ("erase", "true"), ("at", mine.then), ("q", "plan")
    for call in found:
        for name in call.names:
            if call.path in NAMELESS or name.partition(" ")[2] in HARMLESS:
                continue
            yield call, name, {}
            for word, value in ways:
                if f"query {word}" in call.names:
                    yield call, name, {word: value}


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
            query[word] = (
                of.pages["q"] if "q" in more and word == "pageToken" else name_for(call, name, of)
            )
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
