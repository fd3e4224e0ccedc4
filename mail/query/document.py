"""What of a message is searched: tokens by column, made of its digest and its content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol

from mail.message import digest as read_digest
from mail.parts import Part, parse
from mail.query.tokens import MAX_TEXT, tokens, words
from mail.query.tree import Field
from mail.text import bodies, text_of

COLUMNS: tuple[Field, ...] = ("from", "to", "cc", "subject", "body", "filename", "list")
"""The columns of a document, in order."""

BREAK = "\ue001"
"""A token that no text has: it keeps a phrase from running from one entry into the next."""

_MAX_ENTRIES = 1000


class Person(Protocol):
    """One address of a header field."""

    @property
    def name(self) -> str:
        """Display name, decoded."""
        ...

    @property
    def address(self) -> str:
        """addr-spec."""
        ...


class File(Protocol):
    """An attachment."""

    @property
    def filename(self) -> str:
        """File name, decoded."""
        ...


class Listed(Protocol):
    """What a mailbox lists of a message; `truncated` when some of it was cut to its bounds."""

    @property
    def author(self) -> Sequence[Person]:
        """From."""
        ...

    @property
    def to(self) -> Sequence[Person]:
        """To."""
        ...

    @property
    def cc(self) -> Sequence[Person]:
        """Cc."""
        ...

    @property
    def subject(self) -> str:
        """Subject, decoded."""
        ...

    @property
    def message_id_header(self) -> str:
        """Message-ID with its angle brackets."""
        ...

    @property
    def list_id(self) -> str:
        """List-Id."""
        ...

    @property
    def parts(self) -> Sequence[File]:
        """Attachments."""
        ...

    @property
    def truncated(self) -> bool:
        """Whether a list was cut."""
        ...


class Document(NamedTuple):
    """What is searched of a message."""

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


def document_of(digest: Listed, letter: Letter | None) -> Document:
    """Return what is searched of a message.

    Without its content the digest alone is; a digest that was cut to its bounds is made up for
    from the content.
    """
    to: Sequence[Person] = digest.to
    cc: Sequence[Person] = digest.cc
    names = [p.filename for p in digest.parts]
    if digest.truncated and letter is not None:
        whole = read_digest(letter.raw, letter.tree)
        to, cc = whole.to[:_MAX_ENTRIES], whole.cc[:_MAX_ENTRIES]
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


def _people(people: Iterable[Person]) -> Iterable[str]:
    for m in people:
        yield m.name
        yield m.address


def _entries(entries: Iterable[str]) -> str:
    found = (" ".join(tokens(entry)) for entry in entries)
    return f" {BREAK} ".join(x for x in found if x)
