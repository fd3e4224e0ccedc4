"""Spam rules as data: name, weight, reason in words, test.

A weight is what the rule adds to the score; `streams.inbound.score` says what a score means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mail.authentication.reasons import Reason

_HOST = re.compile(
    r"(?:https?://|www\.)?((?:[a-z0-9-]+\.)+[a-z]{2,24})(?=[/:?#\s]|$)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at. Text is decoded; `links` are (text shown, target) of the HTML."""

    subject: str
    author_name: str
    author_domain: str
    header_names: frozenset[str]
    mailer: str
    links: tuple[tuple[str, str], ...]
    suspicions: frozenset[Reason] = frozenset()
    """What authentication found in From that may mislead a reader; empty when it did not run."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `test` says whether it matches."""

    name: str
    weight: float
    reason: str
    test: Callable[[Facts], bool]


def _subject_all_caps(facts: Facts) -> bool:
    # Scripts without case (Chinese, Arabic) equal their upper form and shout at nobody.
    letters = [c for c in facts.subject if c.isalpha()]
    return (
        len(facts.subject) > 10
        and any(c.isupper() for c in letters)
        and facts.subject == facts.subject.upper()
    )


def _author_shows_another_domain(facts: Facts) -> bool:
    shown = re.search(r"@?((?:[\w-]+\.)+[a-z]{2,24})\b", facts.author_name, re.IGNORECASE)
    return bool(
        shown and facts.author_domain and not _same_site(shown[1].lower(), facts.author_domain)
    )


def _missing_date(facts: Facts) -> bool:
    return "date" not in facts.header_names


def _forged_outlook(facts: Facts) -> bool:
    return "Outlook" in facts.mailer and not any(
        n.startswith(("x-ms-", "x-mimeole", "x-originalarrivaltime", "thread-index"))
        for n in facts.header_names
    )


def _link_shows_another_site(facts: Facts) -> bool:
    for text, target in facts.links:
        shown = _HOST.match(text.strip())
        real = re.match(r"https?://(?:[^/@]*@)?([^/:?#]+)", target.strip(), re.IGNORECASE)
        if shown and real and not _same_site(shown[1].lower(), real[1].lower()):
            return True
    return False


def _suspicion(reason: Reason) -> Callable[[Facts], bool]:
    return lambda facts: reason in facts.suspicions


def _same_site(one: str, other: str) -> bool:
    """Say whether two host names may belong together: equal, or one below the other."""
    a, b = one.removeprefix("www.").rstrip("."), other.removeprefix("www.").rstrip(".")
    return a == b or a.endswith("." + b) or b.endswith("." + a)


RULES: tuple[Rule, ...] = (
    Rule("SUBJ_ALL_CAPS", 1.5, "The subject is all capital letters.", _subject_all_caps),
    Rule(
        "FROM_DISPLAY_MISMATCH",
        2.0,
        "The sender's name shows a domain that is not the address's.",
        _author_shows_another_domain,
    ),
    Rule("MISSING_DATE", 1.0, "There is no Date header.", _missing_date),
    Rule(
        "FORGED_OUTLOOK_TAGS",
        3.0,
        "It claims to come from Outlook but has none of Outlook's headers.",
        _forged_outlook,
    ),
    Rule(
        "URI_MISMATCH",
        2.5,
        "A link shows one site and leads to another.",
        _link_shows_another_site,
    ),
    Rule(
        "FROM_LOOKALIKE",
        3.5,
        "The sender's domain can be mistaken for another one.",
        _suspicion(Reason.FROM_LOOKALIKE),
    ),
    Rule(
        "FROM_MIXED_SCRIPTS",
        3.0,
        "The sender's domain mixes letters of several scripts.",
        _suspicion(Reason.FROM_MIXED_SCRIPTS),
    ),
    Rule(
        "FROM_BAD_PUNYCODE",
        2.5,
        "The sender's domain has a label that only pretends to be internationalised.",
        _suspicion(Reason.FROM_BAD_PUNYCODE),
    ),
    Rule(
        "FROM_INVISIBLE",
        2.0,
        "The sender's name or address holds characters that cannot be seen.",
        _suspicion(Reason.FROM_INVISIBLE),
    ),
    # Mostly on top of FROM_DISPLAY_MISMATCH: a whole address is worse than the name of a domain.
    Rule(
        "FROM_SHOWS_ADDRESS",
        1.0,
        "The sender's name shows an address that is not the sender's.",
        _suspicion(Reason.FROM_NAME_SHOWS_ADDRESS),
    ),
)
