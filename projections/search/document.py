"""What of a message is searched: tokens by column, made of its digest and its content."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from mail.message import digest as read_digest
from mail.parts import Part, parse
from mail.text import bodies, text_of
from projections.search.tokens import MAX_TEXT, tokens, words
from projections.search.tree import Field
from schemas.parts import Digest, Mailbox

COLUMNS: tuple[Field, ...] = ("from", "to", "cc", "subject", "body", "filename", "list")
"""The columns of a document, in order."""

BREAK = "\ue001"
"""A token that no text has: it keeps a phrase from running from one entry into the next."""

_MAX_ENTRIES = 1000


class Document(NamedTuple):
    """What is indexed of a message."""

    columns: tuple[str, ...]
    """Tokens, white space between them, in the order of COLUMNS."""
    message_id: str
    """The Message-ID without angle brackets."""

    def fingerprint(self) -> bytes:
        """Return 16 octets that another document does not have."""
        text = "\0".join((*self.columns, self.message_id))
        return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


class Letter(NamedTuple):
    """A message taken apart."""

    raw: bytes
    tree: Part

    @classmethod
    def of(cls, raw: bytes) -> Letter:
        """Take a message apart."""
        return cls(raw, parse(raw))

    def text(self) -> str:
        """Return the text that is searched."""
        return text_of(self.raw, bodies(self.tree))[:MAX_TEXT]


def document_of(digest: Digest, letter: Letter | None) -> Document:
    """Return what is indexed of a message.

    Without its content the digest alone is; a digest that was cut to its bounds is made up for
    from the content.
    """
    to, cc, names = digest.to, digest.cc, [p.filename for p in digest.parts]
    if digest.truncated and letter is not None:
        whole = read_digest(letter.raw, letter.tree)
        to = [Mailbox(name=m.name, address=m.address) for m in whole.to[:_MAX_ENTRIES]]
        cc = [Mailbox(name=m.name, address=m.address) for m in whole.cc[:_MAX_ENTRIES]]
        names = [a.filename for a in whole.attachments[:_MAX_ENTRIES]]
    return Document(
        (
            _entries(_people(digest.author)),
            _entries(_people(to)),
            _entries(_people(cc)),
            words(digest.subject),
            "" if letter is None else words(letter.text()),
            _entries(names),
            words(digest.list_id),
        ),
        digest.message_id_header.removeprefix("<").removesuffix(">"),
    )


def _people(mailboxes: Iterable[Mailbox]) -> Iterable[str]:
    for m in mailboxes:
        yield m.name
        yield m.address


def _entries(entries: Iterable[str]) -> str:
    found = (" ".join(tokens(entry)) for entry in entries)
    return f" {BREAK} ".join(x for x in found if x)
