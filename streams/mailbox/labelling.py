"""The algebra of labels: what a message's labels are after adding and removing some.

A message is in TRASH, or in SPAM, or in ALL and any others. Entering TRASH or SPAM takes every
other label; leaving it without going elsewhere gives them back.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from schemas.labels import ALL, INBOX, SPAM, TRASH
from schemas.parts import Policy, Source, Verdict
from streams.mailbox.evolve import EXCLUSIVE
from streams.mailbox.working_set import label_order

MOST_FLAGS = 100
LONGEST_FLAG = 100
MOST_LABELS = 5_000
"""Bounds that keep every event below the largest record."""


def conflict(add: Set[str], remove: Set[str]) -> bool:
    """Whether a wish contradicts itself: the same label both ways, or TRASH or SPAM with others."""
    return bool(add & remove) or (len(add) > 1 and not EXCLUSIVE.isdisjoint(add))


def relabelled(
    current: Set[str], remembered: Set[str], add: Set[str], remove: Set[str]
) -> frozenset[str]:
    """Return the labels of a message after a wish that has no conflict."""
    if entered := add & EXCLUSIVE:
        return frozenset(entered)
    held = current & EXCLUSIVE
    if not held:
        return frozenset((current - remove) | add | {ALL})
    if add:
        return frozenset(add | {ALL})
    if held <= remove:
        return _given_back(remembered, remove)
    return frozenset(current)


def _given_back(remembered: Set[str], remove: Set[str]) -> frozenset[str]:
    back = (remembered or {INBOX}) - remove
    # From SPAM to TRASH and out again is back in SPAM.
    return frozenset(back & EXCLUSIVE or back | {ALL})


def at_delivery(
    source: Source, asked: Iterable[str], verdict: Verdict, disposition: Policy
) -> frozenset[str]:
    """Return the labels of a new message; `asked` are labels that exist.

    What a person imports goes where the person says; any other mail is judged.
    """
    judged_bad = verdict in ("spam", "phishing") or disposition in ("quarantine", "reject")
    if source != "import" and judged_bad:
        return frozenset({SPAM})
    wanted = frozenset(asked)
    for exclusive in (TRASH, SPAM):
        if exclusive in wanted:
            return frozenset({exclusive})
    return (wanted or frozenset({INBOX})) | {ALL}


def rescuable(verdict: Verdict, disposition: Policy) -> bool:
    """Whether a person's word can keep a mail out of SPAM that goes there at delivery.

    It outweighs the score. Phishing, and what the domain of From asks for mail that it has not sent
    (RFC 9989), are about who wrote the mail, and the query of a filter can prove nothing of that.
    """
    return verdict != "phishing" and disposition not in ("quarantine", "reject")


@dataclass(frozen=True, slots=True)
class FlagChange:
    """Effective changes of flags, in a fixed order."""

    added: list[str]
    removed: list[str]


def flag_change(flags: list[str], add: Iterable[str], remove: Iterable[str]) -> FlagChange:
    """Return what really changes when flags are added and removed."""
    have = set(flags)
    return FlagChange(sorted(set(add) - have), sorted(set(remove) & have))


def flags_are_wrong(flags: Iterable[str]) -> bool:
    """Whether a flag is empty or too long to be one."""
    return any(not f or len(f) > LONGEST_FLAG for f in flags)


def ordered(labels: Iterable[str]) -> list[str]:
    """Return labels in their fixed order."""
    return sorted(labels, key=label_order)
