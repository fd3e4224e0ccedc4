"""Page tokens: where a page ended, bound to the mailbox and the query it belongs to.

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

from projections.mailbox.ports import BadPageToken

_LAYOUT = struct.Struct(">8sq16s")


@dataclass(frozen=True, slots=True)
class Query:
    """What a page is a page of."""

    mailbox_id: str
    labels: frozenset[str]
    include_spam: bool
    at: int | None

    def binding(self) -> bytes:
        """Return 8 octets that another query does not have."""
        packed = msgspec.msgpack.encode(
            (self.mailbox_id, sorted(self.labels), self.include_spam, self.at)
        )
        return blake2b(packed, digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order: internal date descending, then message_id ascending."""

    internal_date: int
    message_id: bytes


START = Place((1 << 63) - 1, b"\xff" * 16)
"""Before the first message."""


def to_token(query: Query, place: Place) -> str:
    """Return the token for the messages behind `place`."""
    packed = _LAYOUT.pack(query.binding(), place.internal_date, place.message_id)
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def from_token(query: Query, token: str | None) -> Place:
    """Return the place that `token` names, START without one. Raises BadPageToken."""
    if token is None:
        return START
    try:
        packed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        binding, internal_date, message_id = _LAYOUT.unpack(packed)
    except (UnicodeEncodeError, binascii.Error, struct.error) as e:
        raise BadPageToken("no page token") from e
    place = Place(internal_date, message_id)
    # The decoder passes over characters that no token has.
    if binding != query.binding() or to_token(query, place) != token:
        raise BadPageToken("a page token of another query")
    return place
