"""Page tokens: where a page ended, bound to the mailbox and the query it belongs to.

One of somebody else's mailbox is told from one of another query of the same: it does not exist.

They name a place in the order and not a count, so arriving mail neither repeats nor skips a
message. They open nothing that their bearer could not ask for, hence no MAC.
"""

from __future__ import annotations

import binascii
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from projections.mailbox.ports import BadPageToken, ForeignPageToken

_LAYOUT = struct.Struct(">8s8sq16s")


@dataclass(frozen=True, slots=True)
class Query:
    """What a page is a page of."""

    mailbox_id: str
    labels: frozenset[str]
    include_spam: bool
    at: int | None
    thread_id: str = ""
    """The conversation whose messages are listed, "" for a list over all of them."""

    def binding(self) -> bytes:
        """Return 8 octets that another query does not have."""
        return bound(
            self.mailbox_id, sorted(self.labels), self.include_spam, self.at, self.thread_id
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order: internal date descending, then message_id ascending."""

    internal_date: int
    message_id: bytes


START = Place((1 << 63) - 1, b"\xff" * 16)
"""Before the first message."""


def bound(*of: object) -> bytes:
    """Return 8 octets that stand for these values and no others."""
    return blake2b(msgspec.msgpack.encode(of), digest_size=8).digest()


def to_token(query: Query, place: Place) -> str:
    """Return the token for the messages behind `place`."""
    packed = _LAYOUT.pack(
        bound(query.mailbox_id), query.binding(), place.internal_date, place.message_id
    )
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def from_token(query: Query, token: str | None) -> Place:
    """Return the place that `token` names, START without one.

    Raises BadPageToken, ForeignPageToken.
    """
    if token is None:
        return START
    try:
        packed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        owner, binding, internal_date, message_id = _LAYOUT.unpack(packed)
    except (UnicodeEncodeError, binascii.Error, struct.error) as e:
        raise BadPageToken("no page token") from e
    place = Place(internal_date, message_id)
    if owner != bound(query.mailbox_id):
        raise ForeignPageToken("a page token of another mailbox")
    # The decoder passes over characters that no token has.
    if binding != query.binding() or to_token(query, place) != token:
        raise BadPageToken("a page token of another query")
    return place
