"""Which mailboxes still have a mail. Pure.

A mail ends when every mailbox that it was received for has ended with it: its message there was
erased, or it was a retry that made none. Until the last of them has judged it, it may not go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from schemas import mailbox_events as e

Copies = dict[str, bool]
"""By mailbox: whether it has the mail; one that has ended with it never has it again."""


def count(copies: Copies, event: e.MailboxEvent) -> bool:
    """Take `event` into the copies of its mail; return whether a mailbox has ended with it."""
    match event:
        case e.Erased() | e.Duplicate():
            copies[event.mailbox_id] = False
            return True
        case e.Delivered():
            copies.setdefault(event.mailbox_id, True)
            return False
        case _:
            return False


def ended(copies: Mapping[str, bool], mailboxes: Collection[str] | None) -> bool:
    """Say whether nobody has the mail any more, nor will have it.

    `mailboxes` are those that it was received for; None when its content is gone already.
    """
    wanted = copies if mailboxes is None else mailboxes
    return bool(wanted) and all(copies.get(m) is False for m in wanted)
