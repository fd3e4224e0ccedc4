"""Which labels a message has, as plainly as it can be said.

A message stands in a bin alone, or in ALL and whatever else; out of a bin it goes back to where it
was. Names are taken whatever their case.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas import commands as c

BINS = {"SPAM", "TRASH"}
SYSTEM = {"INBOX", "SENT", "DRAFTS", "ALL"} | BINS
FORGED = ("quarantine", "reject")


def at_delivery(cmd: c.Deliver, known: Mapping[str, object]) -> set[str]:
    """Return the labels of a mail that comes in."""
    bad = cmd.verdict in ("spam", "phishing") or cmd.disposition in FORGED
    wanted = {x for x in cmd.labels if x in SYSTEM or x in known}
    if cmd.source != "import" and bad:
        return {"SPAM"}
    if wanted & BINS:
        return {max(wanted & BINS)}  # TRASH before SPAM
    return (wanted or {"INBOX"}) | {"ALL"}


def wrong(cmd: c.ChangeLabels, known: Mapping[str, object]) -> str:
    """Return why a change is refused as a whole."""
    add, remove = set(cmd.add_labels), set(cmd.remove_labels)
    if "ALL" in add | remove:
        return "forbidden-label"
    if not add | remove <= SYSTEM | known.keys():
        return "unknown-label"
    if add & remove or (len(add) > 1 and add & BINS):
        return "conflicting-labels"
    return "conflicting-flags" if set(cmd.add_flags) & set(cmd.remove_flags) else ""


def changed(cmd: c.ChangeLabels, now: set[str], back: set[str]) -> tuple[set[str], set[str]]:
    """Return the labels after a change, and those to go back to from a bin."""
    add, remove, held = set(cmd.add_labels), set(cmd.remove_labels), now & BINS
    if add & BINS:  # into a bin, or back into the one that it was in before
        return add, (back - add if add & back else back | (now - add))
    if add or not held:
        return add | {"ALL"} | (set() if held else now - remove), set()
    if not held <= remove:
        return now, back
    rest = (back or {"INBOX"}) - remove
    then = rest & BINS or rest | {"ALL"}
    return then, (back - then if then <= BINS else set())


def taken(name: str, others: Mapping[str, tuple[str, str]], label: str) -> bool:
    """Say whether another label has this name."""
    folded = name.strip().casefold()
    names = {n.strip().casefold() for i, (n, _) in others.items() if i != label}
    return folded in names or folded.upper() in SYSTEM
