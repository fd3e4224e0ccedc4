"""Mail comes in and flags change while processes are killed; afterwards no reader can tell."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass

import pytest

from tests.faults import audit
from tests.faults.installations import (
    CHAINS,
    CONSUMER,
    EMBEDDED,
    FAUST,
    Installations,
    Profile,
    on,
    processes_of,
)
from tests.faults.killer import SERVE, Killer
from tests.faults.letters import Letter, letters
from tests.faults.readers import Reader
from tests.faults.senders import Outbox
from tests.system import System

ACCOUNTS = ("ann", "bob", "cy")


@dataclass(frozen=True)
class Extent:
    """How much is sent over how many sessions, and how often each process is killed."""

    mails: int
    sessions: int
    kills: int
    sample: int


async def under_fire(
    system: System, extent: Extent, mails: list[Letter], readers: list[Reader]
) -> tuple[Outbox, Killer]:
    """Send all mails, make as many changes, kill everything meanwhile; return when it is done."""
    outbox = Outbox(lambda: system.where["smtp"])
    permits: asyncio.Queue[bool] = asyncio.Queue()
    waiting = list(reversed(mails))

    def work() -> None:
        for _ in range(min(share, len(waiting))):
            outbox.put(waiting.pop())
            permits.put_nowait(True)

    killer = Killer(system, random.Random(3), work)
    share = max(1, extent.mails // killer.occasions(extent.kills))
    async with asyncio.TaskGroup() as group:
        for _ in range(extent.sessions):
            group.create_task(outbox.session())
        for reader in readers:
            group.create_task(reader.run(permits))
        await killer.at_random(extent.kills)
        await killer.at_every_point()
        share = len(waiting)
        work()
        outbox.end(extent.sessions)
        for _ in readers:
            permits.put_nowait(False)
    return outbox, killer


def logged_in(system: System) -> tuple[dict[str, str], list[Reader]]:
    """Return the mailboxes by account, and one reader for each."""
    mailboxes: dict[str, str] = {}
    readers: list[Reader] = []
    for n, name in enumerate(ACCOUNTS):
        with system.api(f"{name}@example.test") as api:
            mailboxes[name] = api.get("/mailboxes/me").json()["id"]
            label = api.post("/mailboxes/me/labels", json={"name": "Kept"}).json()["id"]
            token = api.headers["Authorization"].removeprefix("Bearer ")
        readers.append(Reader(lambda: system.where["http"], token, label, random.Random(n)))
    return mailboxes, readers


def survive(install: Installations, profile: Profile, extent: Extent) -> None:
    """The kill test."""
    system = install(*ACCOUNTS).start()
    mailboxes, readers = logged_in(system)
    mails = letters(extent.mails, ACCOUNTS, 1)
    begun = time.monotonic()
    outbox, killer = asyncio.run(under_fire(system, extent, mails, readers))
    fired = time.monotonic() - begun
    assert set(outbox.accepted) == {m.number for m in mails}
    points = [p for points in CHAINS for p in points]
    assert killer.killed == {
        **dict.fromkeys((*processes_of(system), SERVE), extent.kills),
        **dict.fromkeys(points, 1),
    }
    ledger = audit.settled(system)
    audit.check_traces(ledger, outbox.accepted, mailboxes)
    for name, reader in zip(ACCOUNTS, readers, strict=True):
        with system.api(f"{name}@example.test") as api:
            audit.check_mailbox(api, name, mails, extent.sample)
            audit.check_history(api)
            audit.check_changes(api, reader.acknowledged)
    audit.check_house(system)
    for mail_id in random.Random(5).sample(sorted(outbox.accepted.values()), 2):
        told = system.run("trace", mail_id, "--json").stdout.splitlines()
        types = [json.loads(line)["type"] for line in told]
        assert types[:3] == ["Received", "Authenticated", "Scored"]
        assert types[-1] in ("Delivered", "Duplicate", "Labelled")
    changes = sum(len(c.changes) for r in readers for c in r.acknowledged.values())
    print(
        f"{profile.name}: {sum(killer.killed.values())} kills in {fired:.0f} s;"
        f" {len(mails)} mails in {outbox.tries} tries, {len(ledger.of_mail)} received;"
        f" {changes} changes with {sum(r.repeats for r in readers)} repeats;"
        f" {ledger.repeated.total()} events repeated in the log"
    )
    assert system.stop() == 0


@on(EMBEDDED, FAUST, CONSUMER)
def test_nothing_is_lost_or_doubled_by_kills(install: Installations, profile: Profile) -> None:
    survive(install, profile, Extent(mails=200, sessions=20, kills=2, sample=200))


@on(EMBEDDED, FAUST, CONSUMER)
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nothing_is_lost_or_doubled_by_thirty_kills_of_each_process(
    install: Installations, profile: Profile
) -> None:
    survive(install, profile, Extent(mails=2000, sessions=20, kills=30, sample=300))
