"""Threads of real correspondence agree with two independent programs wherever those two agree."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path

import pytest

from mail.message import digest
from schemas import identity
from schemas.mailbox_events import Threaded
from streams.inbound.digest import to_record
from streams.mailbox.clues import clues_of
from streams.mailbox.evolve import evolve
from streams.mailbox.threading import thread_of
from streams.mailbox.working_set import WorkingSet
from tests.fakes import FINGERPRINT

FOLDER = Path(os.environ.get("MAILFOLD_CORPORA", "../shared/corpora")) / "threading"
NAMES = ("asterix-dev-201709", "httpd-users-202007", "notmuch-default", "notmuch-lkml")
BOX = "6d61696c-666f-6c64-4a00-a000000001d5"

Threads = dict[int, int]
"""The thread of each message, by the order of delivery."""


@pytest.mark.parametrize("name", NAMES)
def test_threads_agree_where_both_oracles_agree(name: str) -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"no corpus in {FOLDER}")
    folder = FOLDER / name
    ours, notmuch, dovecot = threads(messages(folder)), by_notmuch(folder), by_dovecot(folder)
    shared = sorted(ours.keys() & notmuch.keys() & dovecot.keys())
    assert len(shared) > 50
    agreed = [
        (a, b)
        for a, b in combinations(shared, 2)
        if (notmuch[a] == notmuch[b]) == (dovecot[a] == dovecot[b])
    ]
    right = sum((ours[a] == ours[b]) == (notmuch[a] == notmuch[b]) for a, b in agreed)
    assert right / len(agreed) >= 0.99

    def group(threads: Threads, one: int) -> set[int]:
        return {other for other in shared if threads[other] == threads[one]}

    whole = [m for m in shared if group(notmuch, m) == group(dovecot, m)]
    same = sum(group(ours, m) == group(notmuch, m) for m in whole)
    assert same / len(whole) >= 0.99


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_arrival_does_not_change_threads_by_reference(name: str) -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"no corpus in {FOLDER}")
    raw = messages(FOLDER / name)
    there, back = threads(raw), threads(raw, lambda order: sorted(order, reverse=True))
    groups = [{frozenset(m for m in raw if t[m] == t[one]) for one in raw} for t in (there, back)]
    assert groups[0] == groups[1]


def messages(folder: Path) -> dict[int, bytes]:
    order = {
        int(uid): source
        for uid, source in (line.split("\t") for line in lines(folder / "dovecot.order.tsv"))
    }
    mbox = folder / "mail.mbox.gz"
    if not mbox.exists():
        return {u: (folder / s.split("corpora/", 1)[1]).read_bytes() for u, s in order.items()}
    parts = re.split(rb"(?:\A|\n)(?=From [^\n]*\d{4}\n)", gzip.decompress(mbox.read_bytes()))
    found = [p.split(b"\n", 1)[1] for p in parts if p.strip()]
    return {uid: found[int(source.split("#")[1])] for uid, source in order.items()}


def threads(raw: dict[int, bytes], order: Callable[[Iterable[int]], list[int]] = sorted) -> Threads:
    ws = WorkingSet.whole(BOX)
    for uid in order(raw):
        record = to_record(digest(raw[uid]))
        clues = clues_of(record, FINGERPRINT.in_mailbox, BOX, identity.derived(str(uid)))
        dated = record.date or 0
        found = thread_of(ws, clues, dated)
        event = Threaded(
            event_id="", mailbox_id=BOX, seq=ws.head + 1, occurred_at=0, recorded_at=0,
            caused_by="", message_id=str(uid), mail_id="", thread_id=found.thread_id,
            by=found.by, message_hash=clues.message, reference_hashes=list(clues.references),
            subject_hash=clues.subject, participant_hashes=list(clues.participants), dated=dated,
            merged=list(found.merged),
        )  # fmt: skip
        evolve(ws, event)
    rows = {int(m.message_id): m.thread for m in ws.messages.values() if m is not None}
    return {uid: ws.root(thread).n for uid, thread in rows.items()}


def lines(path: Path) -> list[str]:
    return [x for x in path.read_text().splitlines() if x and not x.startswith("#")]


def by_notmuch(folder: Path) -> Threads:
    found: Threads = {}
    for line in lines(folder / "notmuch.threads.tsv"):
        uid, _, thread, _, *others = line.split("\t")
        same = others[0].replace(",", " ").split() if others else []
        found.update({int(one): int(thread) for one in (uid, *same)})
    return found


def by_dovecot(folder: Path) -> Threads:
    text = (folder / "dovecot.thread-refs.txt").read_text()
    found: Threads = {}
    depth = number = 0
    for token in re.findall(r"[()]|\d+", text[text.index("(") :]):
        if token == "(":
            number += depth == 0
            depth += 1
        elif token == ")":
            depth -= 1
        else:
            found[int(token)] = number
    return found
