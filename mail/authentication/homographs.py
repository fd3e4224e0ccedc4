"""What the From field shows that may mislead a reader (RFC 5890, Unicode TS 39)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import idna

from mail.authentication.author import Author
from mail.authentication.domains import DomainError, to_ascii, to_unicode, within
from mail.authentication.reasons import Reason, in_words

# Letters of other scripts that are drawn as Latin ones, and digits drawn as letters. Not the
# whole confusables table: the letters from which look-alikes of whole words can be built.
_LOOKS_LIKE = str.maketrans(
    "аеорсухіјѕһԁԛԝьвкмнтгпαοντκρυχωγηιеɡɩıӏҽəլսհոօցԼᴏᴠᴡᴢ",
    "aeopcyxijshdqwbbkmhtrnaovtkpuxwyniegiilceluhnogLovwz",
)
# Words read alike: "rn" as "m", "vv" as "w", zero as "o", one as "l".
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"))
# Scripts that one language writes together (TS 39 section 5.1).
_TOGETHER = (
    frozenset(("HIRAGANA", "KATAKANA", "CJK", "LATIN")),
    frozenset(("HANGUL", "CJK", "LATIN")),
    frozenset(("BOPOMOFO", "CJK", "LATIN")),
)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2069\u3164\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_SHOWN_ADDRESS = re.compile(r"[\w.+-]{1,64}@((?:[\w-]{1,63}\.){1,8}[\w-]{2,63})")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One thing about the From field, for the score and for the reader."""

    reason: Reason
    words: str


def suspicions(author: Author, protected: Collection[str] = ()) -> tuple[Suspicion, ...]:
    """Return what may mislead about the author. `protected` are domains as A-labels."""
    found: dict[Reason, Suspicion] = {}

    def add(reason: Reason, **facts: object) -> None:
        found.setdefault(reason, Suspicion(reason, in_words(reason, **facts)))

    for domain in (*author.domains, *author.guessable):
        for label in domain.split("."):
            _judge_label(label, domain, add)
        shown = skeleton(to_unicode(domain))
        for target in _drawn_alike(frozenset(protected)).get(shown, ()):
            if not within(domain, target):
                add(Reason.FROM_LOOKALIKE, domain=to_unicode(domain), target=target)
    for mailbox in author.mailboxes:
        if _INVISIBLE.search(mailbox.name) or _INVISIBLE.search(mailbox.address):
            add(Reason.FROM_INVISIBLE)
        _judge_name(mailbox.name, mailbox.address, author, add)
    return tuple(found.values())


def skeleton(domain: str) -> str:
    """Return the form in which domains that look alike are equal."""
    text = domain.casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in text if not unicodedata.combining(c)).translate(_LOOKS_LIKE)
    for drawn, read in _PAIRS:
        text = text.replace(drawn, read)
    return text


@lru_cache(maxsize=4)
def _drawn_alike(domains: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Return `domains` by their skeletons: an installation may host thousands of them."""
    found: dict[str, tuple[str, ...]] = {}
    for domain in sorted(domains):
        form = skeleton(to_unicode(domain))
        found[form] = (*found.get(form, ()), domain)
    return found


def scripts(text: str) -> frozenset[str]:
    """Return the scripts of the letters of `text`; digits, marks and signs have none."""
    found: set[str] = set()
    for c in text:
        if c.isalpha() and not (c.isascii() and not c.isalpha()):
            name = unicodedata.name(c, "UNKNOWN").split(" ")[0]
            found.add("CJK" if name in ("CJK", "IDEOGRAPHIC") else name.split("-")[0])
    return frozenset(found)


class _Add(Protocol):
    def __call__(self, reason: Reason, **facts: object) -> None: ...


def _judge_label(label: str, domain: str, add: _Add) -> None:
    if not label.startswith("xn--"):
        return
    try:
        shown = idna.ulabel(label)
    except (idna.IDNAError, UnicodeError):
        # RFC 5890 section 2.3.1: what begins with xn-- and is no A-label is a fake one.
        add(Reason.FROM_BAD_PUNYCODE, domain=domain, label=label)
        return
    written = scripts(shown)
    if len(written) > 1 and not any(written <= together for together in _TOGETHER):
        add(Reason.FROM_MIXED_SCRIPTS, domain=to_unicode(domain), label=shown)
    elif "LATIN" not in written and skeleton(shown).isascii() and written:
        # A whole label of another script that reads as Latin (TS 39 section 4).
        add(Reason.FROM_LOOKALIKE, domain=to_unicode(domain), target=skeleton(shown))


def _judge_name(name: str, address: str, author: Author, add: _Add) -> None:
    match = _SHOWN_ADDRESS.search(name)
    if match is None:
        return
    try:
        shown = to_ascii(match[1])
    except DomainError:
        return
    if not any(within(shown, domain) or within(domain, shown) for domain in author.domains):
        add(Reason.FROM_NAME_SHOWS_ADDRESS, shown=match[0], address=address)
