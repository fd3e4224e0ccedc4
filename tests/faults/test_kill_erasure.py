"""SIGKILL at every point of restoring, erasing, timers and garbage: no reader can tell later.

The same commands are given to an installation that is let alone and to one whose processes are
killed at their points, and what there is to be seen of both is compared.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, zip_longest
from typing import Any

import pytest

from streams.topology import PROJECTIONS
from tests.e2e.scanner import GONE, KEPT, Scan, Scanner, files_of, holding, keys_of, letter
from tests.faults import audit
from tests.faults.commands import Commander
from tests.faults.installations import STAGE_POINTS, VIEW_POINTS, Installations, barrier_of
from tests.system import DOMAIN, System, mail, wait_until

ANN, BOB = f"ann@{DOMAIN}", f"bob@{DOMAIN}"
DAY = 86_400

Points = Sequence[str]
Chain = Sequence[Points]
"""Points in the order in which a process comes to them; those that stand together are killed at
one after the other in one round."""


def points(of: str, names: Points) -> Chain:
    return [[f"{of}.{n}"] for n in names]


def view_points(name: str) -> Chain:
    # Cleaning follows an erasure at once, or the start of a process that finds it to be done.
    *before, told = points(f"{name}-view", VIEW_POINTS)
    return [*before, [*told, f"{name}-view.unclean", f"{name}-view.scrubbed"]]


MAILBOX = points("mailbox", STAGE_POINTS)
LIFECYCLE = points("lifecycle", STAGE_POINTS)
TIMERS = points("timers", ("due", "given", "done"))
GARBAGE = points("garbage", ("begun", "asked", "aside", "last", "unlinked", "done"))
VIEWS = [view_points(v.name) for v in PROJECTIONS]


# -- under fire


@contextmanager
def killing(system: System, points: Points, killed: Counter[str]) -> Generator[None]:
    """Inside, each point is waited for and whatever process comes to it is killed, once."""
    folder = barrier_of(system)
    for point in points:
        (folder / point).touch()
    over = threading.Event()

    def work() -> None:
        while any(folder.iterdir()) and not over.wait(0.01):
            for held in list(folder.iterdir()):
                point, _, pid = held.name.rpartition(".")
                if pid.isdigit():
                    # Two threads of a process may be held, and the first point's kill is both's.
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                    held.unlink()
                    killed[point] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
        wait_until(lambda: not any(folder.iterdir()), 60, f"these are reached: {points}")
    finally:
        over.set()
        thread.join()


def rounds_of(*chains: Chain) -> list[list[str]]:
    """The next points of each chain at a time."""
    return [[p for points in found for p in points] for found in zip_longest(*chains, fillvalue=())]


# -- what is done


def send(system: System, word: str, addresses: list[str], kept: bool = False) -> None:
    raw = letter(f"{KEPT if kept else GONE}{word}", addresses)
    system.send(raw, addresses, f"{KEPT if kept else GONE}{word}@sender.example")


def find(who: Commander, word: str) -> str:
    """Wait for the mail of a word; return the message."""

    def found() -> str | None:
        listed = who.get("/mailboxes/me/messages", includeSpam=True, maxResults=500).json()
        return next((m["id"] for m in listed["messages"] if f"{word} " in m["subject"]), None)

    return wait_until(found, 60, f"the mail {word} is listed")


def forgotten(who: Commander, message: str) -> bool:
    return who.get(f"/messages/{message}/trace").status_code == 404


def restore_and_erase(system: System, n: int, fire: Callable[[], Any]) -> None:
    """Messages are expunged and come back, others are erased, one in one of two mailboxes."""
    ann, bob = Commander(system, ANN), Commander(system, BOB)
    send(system, f"own{n}x", [ANN])
    send(system, f"shared{n}x", [ANN, BOB])
    send(system, f"half{n}x", [ANN, BOB], kept=True)
    send(system, f"back{n}x", [ANN], kept=True)
    own, shared, half, back = (find(ann, f"{w}{n}x") for w in ("own", "shared", "half", "back"))
    bobs = [find(bob, f"{w}{n}x") for w in ("shared", "half")]
    note_keys(system)
    with fire():
        for _ in range(2):
            ann.do("DELETE", f"/messages/{back}")
        ann.do("POST", f"/messages/{back}/restore")
        ann.do("POST", f"/messages/{half}/modify", {"isStarred": True})
        for who, message in ((ann, own), (ann, shared), *((bob, m) for m in bobs)):
            who.do("DELETE", f"/messages/{message}?erase=true")
    for who, message in ((ann, own), (ann, shared), *((bob, m) for m in bobs)):
        wait_until(lambda w=who, m=message: forgotten(w, m), 60, "it is erased")


def run_out_of_time(system: System, n: int, fire: Callable[[], Any]) -> None:
    """What is in TRASH and SPAM is expunged, then erased; what has left them stays."""
    ann = Commander(system, ANN)
    for word in ("trash", "spam"):
        send(system, f"{word}{n}x", [ANN])
    send(system, f"out{n}x", [ANN], kept=True)
    trash, spam, out = (find(ann, f"{w}{n}x") for w in ("trash", "spam", "out"))
    note_keys(system)
    ann.do("POST", f"/messages/{out}/modify", {"addLabelIds": ["TRASH"]})
    ann.do("POST", f"/messages/{out}/modify", {"removeLabelIds": ["TRASH"]})
    with fire():
        ann.do("POST", f"/messages/{trash}/modify", {"addLabelIds": ["TRASH"]})
        ann.do("POST", f"/messages/{spam}/modify", {"addLabelIds": ["SPAM"]})
    for message in (trash, spam):
        wait_until(lambda m=message: forgotten(ann, m), 60, "its time runs out")


NOTED: dict[str, set[bytes]] = {}


def note_keys(system: System) -> None:
    """Remember all keys that there are, for some of them are about to be destroyed."""
    NOTED.setdefault(str(system.data), set()).update(keys_of(system.data).values())


# -- what is seen


def seen(system: System) -> dict[str, Any]:
    """All that there is to be seen of an installation, without names and times."""
    return {a: seen_by(Commander(system, a)) for a in (ANN, BOB)} | {
        "keys": len(keys_of(system.data)),
        "parts": sum(p.is_relative_to(system.data / "parts") for p in files_of(system.data)),
    }


def seen_by(who: Commander) -> dict[str, Any]:
    listed = who.get("/mailboxes/me/messages", includeSpam=True, maxResults=500).json()["messages"]
    subjects = {m["id"]: m["subject"] for m in listed}
    threads = Counter(m["threadId"] for m in listed)
    events = who.get("/mailboxes/me/history").json()["events"]
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    told: dict[str, list[str]] = {}
    for e in events:
        told.setdefault(subjects.get(e.get("messageId"), ""), []).append(e["type"])
    # In which order different messages changed is for chance to say.
    told[""] = sorted(told[""])
    return {
        "messages": {
            m["subject"]: (
                m["labelIds"], m["isRead"], m["isStarred"], m["snippet"], threads[m["threadId"]],
                _digest(who.get(f"/messages/{m['id']}", format="original").content),
                who.get(f"/messages/{m['id']}").json()["attachments"],
            )
            for m in listed
        },
        "labels": who.get("/mailboxes/me/labels").json(),
        "history": told,
        "contacts": {
            word: sorted(
                (c["email"], c["messages"])
                for c in who.get("/mailboxes/me/contacts", q=word).json()["contacts"]
            )
            for word in {m["subject"].split()[0].lower() for m in listed}
        },
        "found": sorted(
            subjects.get(m["id"], "?")
            for word in ("text", "kanarie*")
            for m in who.get(
                "/mailboxes/me/messages", q=f"{word} in:anywhere", maxResults=500
            ).json()["messages"]
        ),
        "quota": who.get("/mailboxes/me").json()["quota"],
        "threads": len(who.get("/mailboxes/me/threads", maxResults=500).json()["threads"]),
    }  # fmt: skip


def _digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def settled(system: System) -> None:
    """Wait until nothing is left to do."""

    def idle() -> bool:
        rows = system.run("projection", "list", "--json").stdout.splitlines()
        return all('"lag": 0' in r for r in rows if '"live"' in r)

    wait_until(idle, 60, "the projections are at the end")
    parts = system.data / "parts"
    wait_until(lambda: not list(parts.rglob("*.aside")), 30)


def cleaned(system: System) -> None:
    """Wait until the consumers have cleaned up; the search index they clean once an hour."""
    wait_until(lambda: _views_with(system) <= {"search"}, 60, "what is erased is gone")
    # Any erasure by command cleans all.
    system.run("erase", system.send(mail("last", "last\r\n"), [BOB]).split()[-1])


def nothing_is_left(system: System) -> None:
    """No canary of what is erased, nor any key that was destroyed, in any file."""
    assert Scanner(system.data, KEPT).scan().sealed, "what is kept can be found"
    assert Scanner(system.data, GONE).scan() == Scan()
    destroyed = NOTED[str(system.data)] - set(keys_of(system.data).values())
    assert destroyed
    assert not [k for k in destroyed if holding(system.data, k)]


def _views_with(system: System) -> set[str]:
    """The projections in whose files what is erased still stands."""
    word, files = GONE.lower().encode(), files_of(system.data / "views")
    return {p.name.split("-")[0].split(".")[0] for p in files if word in p.read_bytes().lower()}


@contextmanager
def let_alone() -> Generator[None]:
    yield


def the_same(
    install: Installations,
    story: Callable[[System, int, Callable[[], Any]], None],
    rounds: Sequence[Points],
    **environment: str,
) -> None:
    """Tell a story so many times, undisturbed and under fire, and compare."""
    found: list[dict[str, Any]] = []
    killed: Counter[str] = Counter()
    begun = time.monotonic()
    for disturbed in (False, True):
        system = install("ann", "bob", MAILFOLD_PARTS_GRACE="1", **environment).start()
        for n, points in enumerate(rounds):
            if disturbed:
                story(system, n, partial(killing, system, points, killed))
            else:
                story(system, n, let_alone)
        settled(system)
        cleaned(system)
        nothing_is_left(system)
        found.append(seen(system))
        audit.check_house(system)
        assert system.stop() == 0
    assert killed == Counter(p for points in rounds for p in points)
    undisturbed, disturbed = found
    for name in undisturbed:
        assert disturbed[name] == undisturbed[name]
    print(f"{killed.total()} kills in {time.monotonic() - begun:.0f} s")


SHORT_WINDOWS = {
    "MAILFOLD_TRASH_DAYS": str(1.5 / DAY),
    "MAILFOLD_SPAM_DAYS": str(1.5 / DAY),
    "MAILFOLD_UNDELETE_DAYS": str(1.5 / DAY),
}


FEW: list[Points] = [
    ["mailbox.outputs", "lifecycle.settled", "garbage.aside", "mailbox-view.committed"],
    ["mailbox.committed", "lifecycle.position", "garbage.unlinked", "search-view.committed"],
]


def test_restoring_and_erasing_under_kills_is_as_without(install: Installations) -> None:
    the_same(install, restore_and_erase, FEW)


def test_time_that_runs_out_under_kills_runs_out_the_same(install: Installations) -> None:
    few = [["timers.given", "mailbox.position"], ["lifecycle.state", "timers.done"]]
    the_same(install, run_out_of_time, few, **SHORT_WINDOWS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_restoring_and_erasing_killed_at_every_point_is_as_without(install: Installations) -> None:
    the_same(install, restore_and_erase, rounds_of(MAILBOX, LIFECYCLE, GARBAGE, *VIEWS))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_time_that_runs_out_killed_at_every_point_runs_out_the_same(
    install: Installations,
) -> None:
    rounds = rounds_of(TIMERS, LIFECYCLE, MAILBOX, GARBAGE)
    the_same(install, run_out_of_time, rounds, **SHORT_WINDOWS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_each_point_alone_killed_is_as_if_it_was_not(install: Installations) -> None:
    the_same(install, restore_and_erase, [*chain(MAILBOX, LIFECYCLE, GARBAGE, *VIEWS)])
    both = [*chain(TIMERS, LIFECYCLE, MAILBOX, GARBAGE, *VIEWS)]
    the_same(install, run_out_of_time, both, **SHORT_WINDOWS)


# -- the command that erases


def erase_under_fire(system: System, mail_id: str, points: Points) -> None:
    """Run `mailfold erase` again and again, killed at each point it comes to, until it returns."""
    folder = barrier_of(system)
    killed = 0
    for point in points:
        (folder / point).touch()
        command = subprocess.Popen(
            [sys.executable, "-m", "mailfold", "erase", mail_id],
            env=system.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        held = folder / f"{point}.{command.pid}"
        wait_until(lambda h=held, c=command: h.exists() or c.poll() is not None, 60)
        assert held.exists(), f"{point} is not reached"
        command.kill()
        command.wait()
        held.unlink()
        killed += 1
    assert killed == len(points)
    system.run("erase", mail_id)


COMMAND = (
    *("mailbox.planned", "mailbox.settled", "mailbox.outputs", "mailbox.state", "mailbox.position"),
    *("lifecycle.planned", "lifecycle.settled", "lifecycle.outputs", "lifecycle.position"),
    *("garbage.begun", "garbage.aside", "garbage.last", "garbage.unlinked"),
    *("mailbox-view.rows", "contacts-view.rows", "search-view.rows"),
)


@pytest.mark.parametrize(
    "recipients", [1, pytest.param(3, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]
)
def test_the_command_that_erases_killed_anywhere_is_ended_by_the_next(
    install: Installations, recipients: int
) -> None:
    addresses = [f"{n}@{DOMAIN}" for n in ("ann", "bob", "cyd")][:recipients]
    found: list[dict[str, Any]] = []
    for points in ((), COMMAND):
        system = install("ann", "bob", "cyd", MAILFOLD_PARTS_GRACE="1").start()
        send(system, "kept", [ANN], kept=True)
        erased = system.send(letter(f"{GONE}it", addresses), addresses).split()[-1]
        for address in addresses:
            find(Commander(system, address), "it")
        find(Commander(system, ANN), "kept")
        settled(system)
        note_keys(system)
        assert system.stop() == 0
        erase_under_fire(system, erased, points)
        nothing_is_left(system)
        system.start()
        found.append(seen(system))
        audit.check_house(system)
        assert system.stop() == 0
    undisturbed, disturbed = found
    assert disturbed == undisturbed
