"""What a mailbox lists of a message, as the record that events carry."""

from __future__ import annotations

from datetime import datetime

from selectolax.lexbor import LexborHTMLParser

from mail.addresses import Mailbox as Address
from mail.message import MessageDigest
from schemas import parts
from streams.inbound.rules import Facts

MAX_ADDRESSES = 100
MAX_REFERENCES = 100
MAX_PARTS = 100
MAX_FIELD = 2048
"""A field longer than this is cut, in characters; no record may outgrow 512 KiB."""

_MAX_LINKS = 200
_MAX_HTML = 200_000


def to_record(read: MessageDigest) -> parts.Digest:
    """Return the digest within the bounds of a record; `truncated` says whether it was cut."""
    cut = _Cut()
    return parts.Digest(
        author=cut.addresses(read.author),
        to=cut.addresses(read.to),
        cc=cut.addresses(read.cc),
        reply_to=cut.addresses(read.reply_to),
        subject=cut.text(read.subject),
        date=_micros(read.date),
        message_id_header=cut.text(read.message_id),
        in_reply_to=cut.identifiers(read.in_reply_to),
        references=cut.identifiers(read.references),
        list_id=cut.text(read.list_id),
        snippet=cut.text(read.snippet),
        parts=cut.attachments(read),
        truncated=cut.happened,
    )


class _Cut:
    def __init__(self) -> None:
        self.happened = False

    def text(self, value: str) -> str:
        # Lone surrogates stand for octets that no charset explains; Avro strings are UTF-8.
        clean = value.encode("utf-8", "replace").decode()
        if len(clean) > MAX_FIELD:
            self.happened = True
            return clean[:MAX_FIELD]
        return clean

    def addresses(self, values: tuple[Address, ...]) -> list[parts.Mailbox]:
        self.happened |= len(values) > MAX_ADDRESSES
        return [
            parts.Mailbox(name=self.text(v.name), address=self.text(v.address))
            for v in values[:MAX_ADDRESSES]
        ]

    def identifiers(self, values: tuple[str, ...]) -> list[str]:
        # The first reference is the root and the last the parent: the middle can go.
        if len(values) > MAX_REFERENCES:
            self.happened = True
            values = values[:1] + values[1 - MAX_REFERENCES :]
        return [self.text(v) for v in values]

    def attachments(self, read: MessageDigest) -> list[parts.PartSummary]:
        self.happened |= len(read.attachments) > MAX_PARTS
        return [
            parts.PartSummary(
                section=a.section,
                filename=self.text(a.filename),
                content_type=self.text(a.content_type),
                size=a.size,
                inline=a.inline,
            )
            for a in read.attachments[:MAX_PARTS]
        ]


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp()) * 1_000_000


def facts_of(read: MessageDigest) -> Facts:
    """Return what the spam rules look at."""
    author = read.author[0] if read.author else None
    return Facts(
        subject=read.subject,
        author_name=author.name if author else "",
        author_domain=author.domain if author else "",
        header_names=frozenset(read.headers),
        mailer=" ".join(read.headers.get("x-mailer", ())),
        links=links(read.html),
    )


def links(html: str | None) -> tuple[tuple[str, str], ...]:
    """Return (text shown, target) of the links of an HTML text, the first 200."""
    if not html or "href" not in html:
        return ()
    tree = LexborHTMLParser(html[:_MAX_HTML])
    found = tree.css("a[href]")[:_MAX_LINKS]
    return tuple((a.text(), a.attributes.get("href") or "") for a in found)
