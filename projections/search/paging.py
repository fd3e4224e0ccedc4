"""Page tokens of a search: where a page ended, and how many were expected in all.

As for lists: a place in the order, bound to the mailbox and the query, with nothing in it that its
bearer could not ask for.
"""

from __future__ import annotations

import binascii
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from projections.mailbox.paging import bound
from projections.mailbox.ports import BadPageToken, ForeignPageToken

_LAYOUT = struct.Struct(">8s8sq16sI")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is a page of."""

    mailbox_id: str
    query: str
    labels: frozenset[str]
    include_spam: bool

    def binding(self) -> bytes:
        """Return 8 octets that another search does not have."""
        return bound(self.mailbox_id, self.query, sorted(self.labels), self.include_spam)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order: internal date descending, then message_id ascending."""

    internal_date: int
    message_id: bytes
    estimate: int

    def before(self, internal_date: int, message_id: bytes) -> bool:
        """Say whether that message comes behind this place."""
        if internal_date != self.internal_date:
            return internal_date < self.internal_date
        return message_id > self.message_id


def to_token(asked: Asked, place: Place) -> str:
    """Return the token for the messages behind `place`."""
    packed = _LAYOUT.pack(
        bound(asked.mailbox_id),
        asked.binding(),
        place.internal_date,
        place.message_id,
        min(place.estimate, 0xFFFFFFFF),
    )
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def from_token(asked: Asked, token: str | None) -> Place | None:
    """Return the place that `token` names, None without one.

    Raises BadPageToken, ForeignPageToken.
    """
    if token is None:
        return None
    try:
        packed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        owner, binding, internal_date, message_id, estimate = _LAYOUT.unpack(packed)
    except (UnicodeEncodeError, binascii.Error, struct.error) as e:
        raise BadPageToken("no page token") from e
    place = Place(internal_date, message_id, estimate)
    if owner != bound(asked.mailbox_id):
        raise ForeignPageToken("a page token of another mailbox")
    # The decoder passes over characters that no token has.
    if binding != asked.binding() or to_token(asked, place) != token:
        raise BadPageToken("a page token of another search")
    return place
