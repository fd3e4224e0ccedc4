"""Load what a batch works on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import apsw
import msgspec

from projections.mailbox.state import Label, MailboxState, Message, Placed, Stored
from schemas.identity import from_bytes, to_bytes
from schemas.labels import SEEN

_Packed = list[tuple[int, int, int]]

_unpack_placements = msgspec.msgpack.Decoder(_Packed).decode
_pack = msgspec.msgpack.Encoder().encode

_LABELS = (
    "select number, id, made, deleted, cast(coalesce(t.octets, x'') as text), color, total, unread,"
    " last_uid, name from label left join text t on t.row = label.name"
    " where mailbox = ? order by number"
)
_MESSAGE = (
    "select row, mail_id, visible, thread_id, internal_date, size, flags, since, seq, placements,"
    " text from message where mailbox = ? and id = ?"
)


def pack_placements(placements: dict[int, Placed]) -> bytes:
    """Return placements as a row holds them."""
    return _pack([(n, p.uid, p.since) for n, p in placements.items()])


def unpack_placements(packed: bytes) -> dict[int, Placed]:
    """Return the placements that a row holds, by label number."""
    return {n: Placed(uid, since) for n, uid, since in _unpack_placements(packed)}


def octets(identifier: str) -> bytes:
    """Return how an identifier is stored; what is none is stored nowhere and gives b""."""
    try:
        return to_bytes(identifier)
    except ValueError:
        return b""


def load_mailbox(connection: apsw.Connection, mailbox_id: str) -> MailboxState:
    """Return the state of a mailbox, an empty one when there is none yet."""
    found = connection.execute(
        "select row, head, messages, unread, size, ahead from mailbox where id = ?",
        (octets(mailbox_id),),
    ).fetchone()
    if found is None:
        return MailboxState(mailbox_id)
    row, head, messages, unread, size, ahead = cast("tuple[int, int, int, int, int, int]", found)
    mailbox = MailboxState(mailbox_id, row, head, messages, unread, size, ahead)
    for columns in connection.execute(_LABELS, (mailbox.row,)):
        *plain, text = cast("tuple[Any, ...]", columns)
        label = Label(*plain, changed=False, text=text)
        label.stored_name = label.name
        mailbox.add(label)
    return mailbox


def load_messages(
    connection: apsw.Connection, mailbox: MailboxState, ids: Iterable[str]
) -> dict[str, Message]:
    """Return those of a mailbox's messages that have a row."""
    messages: dict[str, Message] = {}
    execute = connection.execute
    for message_id in ids:
        found = execute(_MESSAGE, (mailbox.row, to_bytes(message_id))).fetchone()
        if found is None:
            continue
        row, mail_id, visible, thread_id, date, size, flags, since, seq, packed, text = cast(
            "tuple[int, bytes, int, bytes | None, int, int, str, int, int, bytes, int | None]",
            found,
        )
        shown = tuple(flags.split())
        placements = unpack_placements(packed)
        messages[message_id] = Message(
            message_id,
            from_bytes(mail_id),
            row,
            bool(visible),
            "" if thread_id is None else from_bytes(thread_id),
            date,
            size,
            shown,
            since,
            seq,
            placements,
            text_row=text,
            stored=Stored(
                bool(visible), bool(visible) and SEEN not in shown, size, date, dict(placements)
            ),
        )
    return messages
