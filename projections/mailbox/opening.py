"""Open the seals of mailbox events, as far as their keys still exist."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from infra.ports import KeyStore
from schemas import mailbox_events as e
from schemas.parts import Digest, FilterSecret, LabelSecret
from schemas.seal import SealError, unseal

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Digest).decode

_WITH_DIGEST = (e.Delivered, e.Restored)
_WITH_NAME = (e.LabelDefined, e.LabelRenamed)


def _has_query(event: e.MailboxEvent) -> bool:
    return isinstance(event, e.FilterDefined) and not event.deleted


def unpack(text: bytes) -> Digest:
    """Return the digest that `open_seals` packed."""
    return _unpack(text)


def open_seals(events: Sequence[e.MailboxEvent], keys: KeyStore) -> dict[str, bytes | str]:
    """Return, by event_id, packed Digests, names of labels, queries of filters.

    What its key does not open is left out: the key is destroyed, or was and another was made when
    the same mail came again. Erasure is meant to look like this.
    """
    wanted: dict[str, None] = {}
    for event in events:
        if isinstance(event, _WITH_DIGEST):
            wanted[event.message_id] = None
        elif isinstance(event, _WITH_NAME) or _has_query(event):
            wanted[event.mailbox_id] = None
    if not wanted:
        return {}
    found = keys.get(list(wanted))
    opened: dict[str, bytes | str] = {}
    for event in events:
        try:
            if isinstance(event, _WITH_DIGEST):
                key = found.get(event.message_id)
                if key is not None:
                    digest = unseal(Digest, event.sealed, key, event.event_id)
                    opened[event.event_id] = _pack(digest)
            elif isinstance(event, _WITH_NAME):
                key = found.get(event.mailbox_id)
                if key is not None:
                    secret = unseal(LabelSecret, event.sealed, key, event.event_id)
                    opened[event.event_id] = secret.name
            elif isinstance(event, e.FilterDefined) and _has_query(event):
                key = found.get(event.mailbox_id)
                if key is not None:
                    asked = unseal(FilterSecret, event.sealed, key, event.event_id)
                    opened[event.event_id] = asked.query
        except SealError:
            continue
    return opened
