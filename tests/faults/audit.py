"""What must hold of an installation whatever was killed: nothing lost, nothing doubled."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from streams.topology import PROJECTIONS
from tests.faults.ledger import Ledger
from tests.faults.letters import Letter
from tests.faults.readers import Changed
from tests.system import System, wait_until

SETTLING = 180.0
NEW = ["Threaded", "Labelled", "Delivered"]
AGAIN = ["Duplicate"]


def settled(system: System) -> Ledger:
    """Return the log once every mail in it has come to its mailboxes."""

    def complete() -> Ledger | None:
        ledger = Ledger(system)
        return None if ledger.incomplete() else ledger

    found: Ledger = wait_until(complete, SETTLING, "every mail comes to its mailboxes")
    return found


def all_messages(api: httpx.Client) -> list[dict[str, Any]]:
    """Return every message of the caller's mailbox."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"maxResults": 500, "includeSpam": True}
    while True:
        page = api.get("/mailboxes/me/messages", params=query)
        page.raise_for_status()
        found += page.json()["messages"]
        token = page.json().get("nextPageToken")
        if not token:
            return found
        query["pageToken"] = token


def history(api: httpx.Client) -> list[dict[str, Any]]:
    """Return the whole history of the caller's mailbox."""
    events: list[dict[str, Any]] = []
    since = 0
    while True:
        page = api.get("/mailboxes/me/history", params={"since": since})
        page.raise_for_status()
        if not page.json()["events"]:
            return events
        events += page.json()["events"]
        since = page.json()["nextSince"]


def check_traces(ledger: Ledger, accepted: Mapping[int, str], mailboxes: Mapping[str, str]) -> None:
    """Every mail has each event once, whether its 250 was seen or lost on the way."""
    assert set(accepted.values()) <= set(ledger.of_mail), "a mail is lost after its 250"
    wrong = {
        mail_id: types
        for mail_id in ledger.of_mail
        if (types := ledger.trace(mail_id)) != ["Received", "Authenticated", "Scored"]
    }
    assert not wrong
    # Judgements may be published twice on Kafka, with the same bytes; a mailbox's events never.
    assert not ledger.repeated["mailbox.events"]
    for name, mailbox_id in mailboxes.items():
        seqs = [e["seq"] for e in ledger.of_mailbox[mailbox_id]]
        assert seqs == list(range(1, len(seqs) + 1)), f"{name}: the log skips or repeats a seq"
        kinds = Counter(map(tuple, ledger.arrivals(mailbox_id).values()))
        assert set(kinds) <= {tuple(NEW), tuple(AGAIN)}, kinds


def check_mailbox(
    api: httpx.Client, name: str, letters: Sequence[Letter], sample: int, seed: int = 1
) -> None:
    """Every letter to this account is there once, and a sample of them byte for byte."""
    listed = all_messages(api)
    mine = {x.subject: x for x in letters if any(r.startswith(f"{name}@") for r in x.recipients)}
    times = Counter(m["subject"] for m in listed)
    assert not mine.keys() - times.keys(), "letters are lost"
    assert not times.keys() - mine.keys(), "there are letters that nobody sent"
    assert max(times.values()) == 1, "letters are there twice"
    for m in random.Random(seed).sample(listed, min(sample, len(listed))):
        got = api.get(f"/messages/{m['id']}", params={"format": "original"})
        assert got.content == mine[m["subject"]].raw, m["subject"]


def check_history(api: httpx.Client) -> None:
    """The history goes from 1 to the head with one entry for each seq."""
    head = api.get("/mailboxes/me").json()["seq"]
    assert [e["seq"] for e in history(api)] == list(range(1, head + 1))


def check_changes(api: httpx.Client, acknowledged: Mapping[str, Changed]) -> None:
    """Every change that was acknowledged had its effect, in order, and had it once."""
    made: dict[str, list[tuple[str, str]]] = {}
    for e in history(api):
        if e["type"] == "Labelled" and e["by"] == "user":
            done = made.setdefault(e["messageId"], [])
            done += [("+", x) for x in (*e.get("flagsAdded", ()), *e.get("labelsAdded", ()))]
            done += [("-", x) for x in (*e.get("flagsRemoved", ()), *e.get("labelsRemoved", ()))]
    assert made == {i: c.changes for i, c in acknowledged.items() if c.changes}
    for m in all_messages(api):
        told = acknowledged.get(m["id"], Changed())
        has = {*m["labelIds"]} - {"INBOX", "SPAM"}
        has |= {"seen"} if m["isRead"] else set[str]()
        has |= {"flagged"} if m["isStarred"] else set[str]()
        assert has == told.has, m["subject"]


def check_house(system: System) -> None:
    """The projections are folds of the log, and nothing lies dead."""
    for projection in PROJECTIONS:
        done = system.run("projection", "verify", projection.name, timeout=600, check=False)
        assert "equals" in done.stdout, done.stdout + done.stderr
    assert system.run("dead", "list").stdout == ""
