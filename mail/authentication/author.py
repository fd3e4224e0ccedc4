"""Whom a reader takes for the author: the From field (RFC 5322 section 3.6.2, RFC 9989 5.3.1).

Addresses are read by `mail.addresses`, which also feeds what is displayed, so that what is judged
is what is shown. Other programs guess where that parser refuses to; `guessable` are the domains
that such a guess could show, and they are held against their policies too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mail.addresses import Mailbox, parse_addresses
from mail.authentication.domains import DomainError, to_ascii
from mail.authentication.message import Message
from mail.words import decode_words

# An address where quoting and nesting are not looked at, as a lenient reader finds one.
_ADDRESS_LIKE = re.compile(r"@([^\s@<>()\[\],;:\\\"]{1,253})")
_HARMLESS = frozenset(("address as display name",))
_MAX_GUESSES = 20
_MAX_FIELDS = 10
_LONGEST_FIELD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Author:
    """What the From fields of a message say."""

    fields: int
    """How many From fields there are."""
    mailboxes: tuple[Mailbox, ...]
    domains: tuple[str, ...]
    """Domains of the mailboxes as A-labels, each once, in order."""
    guessable: tuple[str, ...]
    """Domains that another reader could take for the author's, `domains` not repeated."""
    well_formed: bool
    """Exactly one From field, and all of it could be read."""

    @property
    def address(self) -> str:
        """The first address, or an empty string."""
        return self.mailboxes[0].address if self.mailboxes else ""

    @property
    def name(self) -> str:
        """The display name beside the first address."""
        return self.mailboxes[0].name if self.mailboxes else ""


def read_author(message: Message) -> Author:
    """Read the From fields of `message`. Never raises."""
    fields = message.named(b"from")
    mailboxes: list[Mailbox] = []
    well_formed = len(fields) == 1
    domains: dict[str, None] = {}
    for field in fields[:_MAX_FIELDS]:
        parsed = parse_addresses(field.value[:_LONGEST_FIELD])
        mailboxes += parsed.mailboxes
        unread = len(field.value) > _LONGEST_FIELD
        if unread or any(defect not in _HARMLESS for defect in parsed.defects):
            well_formed = False
    for mailbox in mailboxes:
        try:
            domains[to_ascii(mailbox.domain)] = None
        except DomainError:
            # No domain, an address literal, or a name that IDNA does not allow.
            well_formed = False
    guessed: dict[str, None] = {}
    if not well_formed:
        for field in fields[:_MAX_FIELDS]:
            guessed |= dict.fromkeys(_guesses(field.value[:_LONGEST_FIELD]))
    others = [domain for domain in guessed if domain not in domains]
    return Author(
        len(fields), tuple(mailboxes), tuple(domains), tuple(others[:_MAX_GUESSES]), well_formed
    )


def _guesses(value: bytes) -> list[str]:
    text = value.decode("utf-8", "replace")
    found: list[str] = []
    for shown in (text, decode_words(text)):
        for match in _ADDRESS_LIKE.finditer(shown):
            try:
                found.append(to_ascii(match[1].strip(".'")))
            except DomainError:
                continue
    return found
