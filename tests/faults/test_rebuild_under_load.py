"""Projections are rebuilt and rolled back while mail arrives and is read: no reader can tell."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from mailfold.settings import load
from mailfold.wiring import open_house
from projections.rebuild import roll_back
from streams.topology import PROJECTIONS
from tests.bench.bulk import Letter, fill
from tests.bench.variation import START
from tests.faults.installations import Installations
from tests.system import SmtpClient, System, mail, wait_until

ANN = "ann@example.test"
PAGE = 50
CONNECTIONS = 5
"""A reply waits for the disk, so one connection alone might not carry the rate."""
READERS = 5
"""A search may take longer than the time from one read to the next."""


class Watcher:
    """Reads one mailbox at every turn, and keeps what no reader may see."""

    def __init__(self, system: System, least: int, every: float) -> None:
        """`least` messages are there already; `every` seconds comes a turn."""
        self._system = system
        self._every = every
        self._least = least
        self._heads: dict[str, int] = {}
        self._totals: dict[str, int] = {}
        self.wrong: list[str] = []
        self.reads = Counter[str]()

    def run(self, over: threading.Event) -> None:
        with self._system.api(ANN) as api:
            one = api.get("/mailboxes/me/messages", params={"maxResults": 1}).json()["messages"][0]
            asked: list[tuple[str, str, dict[str, Any], Callable[[Any], str]]] = [
                ("mailbox", "/mailboxes/me/messages", {"maxResults": PAGE}, self._page),
                ("search", "/mailboxes/me/messages", {"maxResults": PAGE, "q": "word"}, self._page),
                ("mailbox", "/mailboxes/me/threads", {"maxResults": PAGE}, self._threads),
                ("mailbox", "/mailboxes/me/labels", {}, self._labels),
                ("mailbox", f"/messages/{one['id']}", {}, lambda x: self._same(one, x)),
                ("contacts", "/mailboxes/me/contacts", {"q": "you"}, self._contacts),
                (
                    "mailbox",
                    "/mailboxes/me",
                    {},
                    lambda x: self._total("me", x["counts"]["messages"]),
                ),
            ]
            due = time.monotonic()
            for view, path, query, check in itertools.cycle(asked):
                if over.is_set():
                    return
                self._look(api, view, path, query, check)
                due = max(due + self._every, time.monotonic() - 0.1)
                time.sleep(max(0.0, due - time.monotonic()))

    def _look(
        self, api: httpx.Client, view: str, path: str, query: Any, check: Callable[[Any], str]
    ) -> None:
        self.reads[view] += 1
        try:
            answer = api.get(path, params=query)
        except httpx.TransportError as e:
            self.wrong.append(f"{path}: {type(e).__name__}")
            return
        if answer.status_code != 200:
            self.wrong.append(f"{path}: {answer.status_code} {answer.text}")
            return
        head = int(answer.headers["x-mailfold-seq"])
        if head < self._heads.get(view, 0):
            self.wrong.append(f"{path}: {head} after {self._heads[view]}")
        self._heads[view] = head
        if found := check(answer.json()):
            self.wrong.append(f"{path} at {head}: {found}")

    def _page(self, page: Any) -> str:
        found = page["messages"]
        # What was imported is as old as its Date says, and all of one second.
        times = [m["receivedAt"] if m["subject"].startswith("new") else "" for m in found]
        if times != sorted(times, reverse=True):
            return f"out of order: {times}"
        if len({m["id"] for m in found}) != PAGE:
            return f"{len(found)} messages"
        return "" if page["nextPageToken"] else "no next page"

    def _threads(self, page: Any) -> str:
        return "" if len(page["threads"]) == PAGE else f"{len(page['threads'])} conversations"

    def _labels(self, found: Any) -> str:
        rows = {r["id"]: r["messagesTotal"] for r in found["labels"]}
        return self._total("inbox", rows["INBOX"]) or self._total("all", rows["ALL"])

    def _contacts(self, found: Any) -> str:
        return self._total("contact", found["contacts"][0]["messages"])

    def _total(self, name: str, number: int) -> str:
        """Mail only arrives, so no number falls."""
        before = self._totals.get(name, self._least)
        self._totals[name] = number
        return f"{number} of {name} after {before}" if number < before else ""

    def _same(self, one: Any, now: Any) -> str:
        return "" if all(now[k] == v for k, v in one.items()) else "it has changed"


def letters(count: int) -> Iterator[Letter]:
    """Yield as many mails; every tenth begins a conversation, which the others answer."""
    for n in range(count):
        first = n - n % 10
        raw = mail(
            f"plan {first}" if n == first else f"Re: plan {first}",
            f"word number{n} of {first}\r\n" * 5,
            Message_ID=f"<{n}@sender.example>",
            **({} if n == first else {"In_Reply_To": f"<{first}@sender.example>"}),
        )
        yield Letter(raw, START + n * 60_000_000, ("INBOX",))


@contextmanager
def at_work(*works: Callable[[threading.Event], None]) -> Generator[None]:
    """Inside, these run beside."""
    over = threading.Event()
    threads = [threading.Thread(target=w, args=(over,)) for w in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def arriving(
    system: System, name: str, rate: float, sent: list[str]
) -> Callable[[threading.Event], None]:
    """Mail comes in over one connection, so many a second."""

    def run(over: threading.Event) -> None:
        with SmtpClient(system.where["smtp"]) as client:
            due = time.monotonic()
            for n in itertools.count():
                if over.is_set():
                    return
                raw = mail(
                    f"new {name} {n}", "word\r\n", Message_ID=f"<new{name}.{n}@sender.example>"
                )
                sent.append(client.send(raw, [ANN]))
                due += 1 / rate
                time.sleep(max(0.0, due - time.monotonic()))

    return run


def listed(system: System) -> list[dict[str, Any]]:
    lines = system.run("projection", "list", "--json").stdout.splitlines()
    return [json.loads(line) for line in lines]


def rebuilt_under_load(system: System, count: int, rate: int) -> str:
    with open_house(load(data=system.data)) as house:
        house.prepare()
        account = house.directory.account(ANN)
        assert account is not None
        fill(house, account.mailbox_id, letters(count))
    system.start()
    with system.api(ANN) as api:
        wait_until(lambda: api.get("/mailboxes/me").json()["counts"]["messages"] == count, 3600)
    wait_until(lambda: all(found["lag"] == 0 for found in listed(system)), 3600)
    watchers = [Watcher(system, count, 0.01 * READERS) for _ in range(READERS)]
    sent = list[str]()
    seconds: dict[str, float] = {}
    senders = (arriving(system, f"c{n}", rate / CONNECTIONS, sent) for n in range(CONNECTIONS))
    with at_work(*(w.run for w in watchers), *senders):
        begun = time.monotonic()
        for projection in PROJECTIONS:
            told = system.run("projection", "rebuild", projection.name, timeout=3600).stdout
            assert told == "version 2 is live\n"
        rebuilt, arrived = time.monotonic() - begun, len(sent)
        reads = sum(w.reads.total() for w in watchers)
        for projection in PROJECTIONS:
            found = system.run("projection", "verify", projection.name, timeout=3600, check=False)
            assert "equals" in found.stdout, found.stdout
        for projection in PROJECTIONS:
            begun = time.monotonic()
            told = system.run("projection", "rebuild", projection.name, "--roll-back").stdout
            seconds[projection.name] = round(time.monotonic() - begun, 2)
            assert told == "version 1 is live again\n"
        # There and back once more, without the time that a command takes to start.
        with open_house(load(data=system.data)) as house:
            for projection in PROJECTIONS:
                begun = time.monotonic()
                assert roll_back(house.log, house.versions[projection.name]).version == 2
                seconds[f"{projection.name} alone"] = round(time.monotonic() - begun, 3)
    for watcher in watchers:
        assert watcher.wrong == []
        assert min(watcher.reads.values()) > 5
    for projection in PROJECTIONS:
        found = system.run("projection", "verify", projection.name, timeout=3600, check=False)
        assert "equals" in found.stdout, found.stdout
    assert system.stop() == 0
    return (
        f"{count} mails, {arrived} arrived ({arrived / rebuilt:.0f}/s) and {reads} reads"
        f" ({reads / rebuilt:.0f}/s) in {rebuilt:.0f} s of rebuilding, {len(sent)} mails and"
        f" {sum(w.reads.total() for w in watchers)} reads in all; seconds of roll-back {seconds}"
    )


def test_rebuilding_under_load_is_seen_by_no_reader(install: Installations) -> None:
    print(rebuilt_under_load(install("ann"), 2_000, 20))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_rebuilding_fifty_thousand_under_load_is_seen_by_no_reader(install: Installations) -> None:
    print(rebuilt_under_load(install("ann"), 50_000, 100))
