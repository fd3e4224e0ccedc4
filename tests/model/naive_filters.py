"""What filters do to new mail, as plainly as it can be said.

All see the mail as it would be delivered without any; what those do that match is united.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from schemas import commands as c
from tests.model.letters import Letter
from tests.model.naive_labels import BINS, FORGED, SYSTEM

ASKED: dict[str, Callable[[Letter, set[str]], bool]] = {
    "from:ann": lambda x, _: x.author == "ann@a.test",
    "subject:lunch -to:bob": lambda x, _: (
        "lunch" in x.subject.casefold() and "bob@b.test" not in x.to
    ),
    "has:attachment OR in:spam": lambda x, labels: bool(x.attachments) or "SPAM" in labels,
    "letter (body:3* OR filename:b.txt) larger:7": lambda x, _: (
        len(x.text) > 7 and (" 3" in x.text or "b.txt" in x.attachments)
    ),
}
"""Queries of filters, and what they ask."""

Filter = tuple[c.DefineFilter, str, int]
"""A filter, its query, and the seq that defined it."""


def filtered(
    cmd: c.Deliver,
    letter: Letter,
    labels: set[str],
    filters: Collection[Filter],
    made: Mapping[str, int],
) -> tuple[set[str], set[str]]:
    """Return labels and flags of a mail that came by itself; `made` tells when labels began."""
    hits = [(f, n) for f, query, n in filters if ASKED[query](letter, labels)]
    spared = any(f.never_spam for f, _ in hits)
    if spared and "SPAM" in labels and cmd.verdict != "phishing":
        labels = labels if cmd.disposition in FORGED else {"INBOX", "ALL"}
    if labels & BINS:
        return labels, set()
    add = {x for f, n in hits for x in f.labels if x in SYSTEM or made.get(x, n) < n}
    if any(f.archive for f, _ in hits):
        labels = labels - {"INBOX"}
    for label in ("TRASH",) if spared else ("TRASH", "SPAM"):
        if label in add:
            labels, add = {label}, set()
    flags = {"flagged": any(f.star for f, _ in hits), "seen": any(f.read for f, _ in hits)}
    return labels | add - {"SPAM"}, {x for x, wanted in flags.items() if wanted}


def wrong(cmd: c.DefineFilter, query: str, known: Mapping[str, object]) -> str:
    """Return why a filter is refused."""
    wanted = set(cmd.labels)
    if wanted & {"ALL", "SENT", "DRAFTS"}:
        return "forbidden-label"
    if not wanted <= SYSTEM | known.keys():
        return "unknown-label"
    clash = (cmd.archive and "INBOX" in wanted) or (cmd.never_spam and "SPAM" in wanted)
    if clash or (len(wanted) > 1 and wanted & BINS):
        return "conflicting-labels"
    if not (wanted or cmd.archive or cmd.star or cmd.read or cmd.never_spam):
        return "no-action"
    return "" if query in ASKED else "invalid-query"
