"""What a mailbox lists of a message, as the record that events carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

from selectolax.lexbor import LexborHTMLParser

from mail.addresses import Mailbox as Address
from mail.addresses import parse_addresses
from mail.authentication.homographs import Suspicion
from mail.message import MessageDigest
from mail.text import bodies, part_text
from mail.words import decode_header
from schemas import parts
from streams.inbound.rules import Facts

R = TypeVar("R")

MAX_ITEMS = 100
"""Items that a list keeps at most."""

MAX_FIELD = 2 * 1024
"""A text longer than this is cut, octets."""

MAX_LIST = 24 * 1024
"""Octets of a list's texts at most.

Seven lists, four texts and the trace fields beside them leave a record of at most 512 KiB its room
for the labels of a message.
"""

_MAX_LINKS = 200
_MAX_HTML = 200_000


def to_record(read: MessageDigest) -> parts.Digest:
    """Return the digest within the bounds of a record; `truncated` says whether it was cut."""
    cut = _Cut()
    return parts.Digest(
        author=cut.addresses(read.from_),
        to=cut.addresses(read.to),
        cc=cut.addresses(read.cc),
        reply_to=cut.addresses(_reply_to(read)),
        subject=cut.text(read.subject),
        date=_micros(read.date),
        message_id_header=cut.text(f"<{read.message_id}>") if read.message_id else "",
        in_reply_to=cut.identifiers((read.in_reply_to,) if read.in_reply_to else ()),
        references=cut.identifiers(read.references),
        list_id=cut.text(read.list_id),
        snippet=cut.text(read.snippet),
        parts=cut.attachments(read),
        truncated=cut.happened,
        unreadable=bool(read.defect),
    )


class _Cut:
    def __init__(self) -> None:
        self.happened = False

    def text(self, value: str) -> str:
        # Lone surrogates stand for octets that no charset explains; Avro strings are UTF-8.
        octets = value.encode("utf-8", "replace")
        if len(octets) <= MAX_FIELD:
            return octets.decode()
        self.happened = True
        # No half of a character.
        return octets[:MAX_FIELD].decode("utf-8", "ignore")

    def addresses(self, values: Sequence[Address]) -> list[parts.Mailbox]:
        made = (parts.Mailbox(name=self.text(v.name), address=self.text(v.address)) for v in values)
        return self._some(made, len(values), lambda m: (m.name, m.address))

    def identifiers(self, values: Sequence[str]) -> list[str]:
        # The first reference is the root and the last the parent: the middle can go.
        newest = [self.text(f"<{v}>") for v in (*values[:1], *reversed(values[1:][-MAX_ITEMS:]))]
        kept = self._some(newest, len(values), lambda text: (text,))
        return [*kept[:1], *reversed(kept[1:])]

    def attachments(self, read: MessageDigest) -> list[parts.PartSummary]:
        made = (
            parts.PartSummary(
                section=a.section,
                filename=self.text(a.filename),
                content_type=self.text(a.mime_type),
                size=a.size,
                inline=a.inline,
            )
            for a in read.attachments
        )
        found = len(read.attachments)
        return self._some(made, found, lambda p: (p.section, p.filename, p.content_type))

    def _some(
        self, made: Iterable[R], found: int, texts: Callable[[R], tuple[str, ...]]
    ) -> list[R]:
        """Return the first items, as many as may be; `found` is how many there were."""
        kept: list[R] = []
        left = MAX_LIST
        for item in islice(made, MAX_ITEMS):
            left -= sum(len(text.encode()) for text in texts(item))
            if left < 0:
                break
            kept.append(item)
        self.happened |= len(kept) < found
        return kept


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp()) * 1_000_000


def _reply_to(read: MessageDigest) -> tuple[Address, ...]:
    value = next((f.value for f in read.fields if f.name == b"reply-to"), None)
    return () if value is None else parse_addresses(value).mailboxes


def facts_of(raw: bytes, read: MessageDigest, suspicions: Iterable[Suspicion] = ()) -> Facts:
    """Return what the spam rules look at; `suspicions` are those of its verdict."""
    author = read.from_[0] if read.from_ else None
    mailers = [f.value for f in read.fields if f.name == b"x-mailer"]
    return Facts(
        subject=read.subject,
        author_name=author.name if author else "",
        author_domain=author.domain.lower() if author else "",
        header_names=frozenset(f.name.decode("ascii") for f in read.fields),
        mailer=" ".join(decode_header(m) for m in mailers),
        links=tuple(_links(raw, read)),
        suspicions=frozenset(one.reason for one in suspicions),
    )


def _links(raw: bytes, read: MessageDigest) -> Iterator[tuple[str, str]]:
    """Yield (text shown, target) of the links of the HTML, the first 200 of each part."""
    if read.tree is None:
        return
    for part in bodies(read.tree).html:
        if part.content_type == "text/html":
            html = part_text(raw, part)[:_MAX_HTML]
            if "href" in html:
                for a in LexborHTMLParser(html).css("a[href]")[:_MAX_LINKS]:
                    yield a.text(), a.attributes.get("href") or ""
