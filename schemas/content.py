"""Open what a Received seals, and put the message together again.

The counterpart of a door: every reader of content goes this way.
"""

from __future__ import annotations

from collections.abc import Callable

from schemas.events import Received
from schemas.fingerprint import Fingerprint
from schemas.parts import ReceivedSecret
from schemas.seal import unseal

FetchPart = Callable[[bytes], bytes]
"""A part by its name in the parts store, 32 octets."""

Join = Callable[[bytes, FetchPart], bytes]
"""The inverse of splitting (mail.segments.join): a skeleton and its parts by their SHA-256."""


def open_received(received: Received, key: bytes) -> ReceivedSecret:
    """Return what `received` seals, opened with the mail's content key.

    Raises SealError when the key is not the one it was sealed with.
    """
    return unseal(ReceivedSecret, received.sealed, key, received.event_id)


def original(
    secret: ReceivedSecret, fetch_part: FetchPart, fingerprint: Fingerprint, join: Join
) -> bytes:
    """Return the message as it came in, byte for byte.

    `fetch_part` asks the parts store; the skeleton knows parts by SHA-256, the store by
    fingerprint, so that a reader of the store's names can't tell which known file it holds.
    Raises what `fetch_part` and `join` raise.
    """
    skeleton = fetch_part(secret.skeleton_part) if secret.skeleton_part else secret.skeleton
    return join(skeleton, lambda sha256: fetch_part(fingerprint.part(sha256)))
