"""Hostile mail through the whole house: nothing ends, nothing grows, nothing is changed or lost."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.faults import audit
from tests.faults.installations import EMBEDDED, FAUST, Installations, log_of, on
from tests.faults.letters import Letter
from tests.faults.mutants import extremes, mutants
from tests.faults.senders import Connection, Lost, Refused
from tests.system import System

ANN, BOB = "ann@example.test", "bob@example.test"
SESSIONS = 8
MOST_MEMORY = 400
"""MB that a process may ever hold. The largest message of the test has 3 MB."""
OLDEST = 40
"""The extreme messages come first."""
FORMATS = ("minimal", "metadata", "full", "raw")

_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True)
class Extent:
    """How many mutants come in by each door, and how many of them are read in every format."""

    by_smtp: int
    by_import: int
    sample: int


def as_sent(raw: bytes) -> bytes:
    """Return a message as SMTP can carry it: its last line has an end."""
    return raw if not raw or raw.endswith(b"\r\n") else raw + b"\r\n"


def expected(raw: bytes) -> str:
    """Return how the reply to a message must begin."""
    if _BARE.search(raw) or b"\0" in raw:
        return "550 5.6.0 "
    if len(_RECEIVED.findall(raw.partition(b"\r\n\r\n")[0])) > 50:
        return "554 5.4.6 "
    return "250 2.0.0 "


async def replies(system: System, letters: Sequence[Letter]) -> Mapping[int, str]:
    """Send each letter once, over several sessions, and return the reply to each."""
    found: dict[int, str] = {}
    waiting = list(reversed(letters))

    async def session() -> None:
        connection: Connection | None = None
        while waiting:
            letter = waiting.pop()
            while letter.number not in found:
                try:
                    connection = connection or await Connection.open(system.where["smtp"])
                    found[letter.number] = await connection.send(letter)
                except Refused as e:
                    found[letter.number] = str(e)
                except Lost as e:
                    # After so many refusals it ends a session, and says so.
                    if not str(e).startswith("421 4.7.0 "):
                        raise
                    connection = None

    await asyncio.gather(*(session() for _ in range(SESSIONS)))
    return found


def originals(api: httpx.Client) -> Counter[bytes]:
    """Return the bytes of every message in the caller's mailbox."""
    found: Counter[bytes] = Counter()
    for m in audit.all_messages(api):
        answer = api.get(f"/messages/{m['id']}", params={"format": "original"})
        answer.raise_for_status()
        found[answer.content] += 1
    return found


def check_readable(api: httpx.Client, sample: int) -> None:
    """What is listed can be read in every format, and traced: the oldest and the newest of it."""
    listed = audit.all_messages(api)
    for m in (*listed[-OLDEST:], *listed[:sample]):
        for name in FORMATS:
            answer = api.get(f"/messages/{m['id']}", params={"format": name})
            assert answer.status_code == 200, (m["id"], name, answer.text)
        assert api.get(f"/messages/{m['id']}/trace").status_code == 200, m["id"]


def maildir(folder: Path, messages: Sequence[bytes]) -> Path:
    """Make a Maildir."""
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    for n, raw in enumerate(messages):
        (folder / "cur" / f"{1_700_000_000 + n}.{n}.host:2,S").write_bytes(raw)
    return folder


def withstand(install: Installations, folder: Path, extent: Extent) -> None:
    """The test."""
    system = install("ann", "bob").start()
    before = system.children()
    made = list(mutants(extent.by_smtp + extent.by_import, 2))
    sent = [as_sent(raw) for raw in (*extremes().values(), *made[: extent.by_smtp])]
    # Each has a sender of its own: none is the repetition of another.
    letters = [Letter(n, "", raw, f"s{n}@m.example", (ANN,)) for n, raw in enumerate(sent)]
    found = asyncio.run(replies(system, letters))
    wrong = {n: (found[n], expected(raw)) for n, raw in enumerate(sent)}
    assert not {n: w for n, w in wrong.items() if not w[0].startswith(w[1])}

    imported = made[extent.by_smtp :]
    told = system.run(
        "import", str(maildir(folder / "box", imported)), "--to", BOB, check=False, timeout=600
    )
    as_kept = {re.sub(rb"(?<!\r)\n", b"\r\n", raw) for raw in imported if raw}
    assert f"{len(as_kept)} new" in told.stdout, told.stdout + told.stderr

    audit.settled(system)
    accepted = Counter(raw for raw in sent if expected(raw).startswith("250"))
    assert accepted.total() > len(sent) // 2
    with system.api(ANN) as api:
        assert originals(api) == accepted
        check_readable(api, extent.sample)
        audit.check_history(api)
    with system.api(BOB) as api:
        assert originals(api) == Counter(as_kept)
        check_readable(api, extent.sample)
    audit.check_house(system)
    assert system.children() == before, log_of(system)
    memory = system.peak_memory()
    print(
        f"{len(sent)} by SMTP, {accepted.total()} accepted; {len(imported)} imported,"
        f" {len(as_kept)} different; MB at most {memory}"
    )
    assert max(memory.values()) < MOST_MEMORY
    assert system.stop() == 0


@on(EMBEDDED, FAUST)
def test_hostile_mail_harms_nothing(install: Installations, tmp_path: Path) -> None:
    withstand(install, tmp_path, Extent(by_smtp=250, by_import=80, sample=60))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_hostile_mails_harm_nothing(install: Installations, tmp_path: Path) -> None:
    withstand(install, tmp_path, Extent(by_smtp=7500, by_import=2500, sample=500))
