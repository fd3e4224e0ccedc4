"""Who still needs a mail: mailboxes, and submissions to other hosts. Pure.

A mail ends when every mailbox that it was received for has ended with it (its message there was
erased, or it was a retry that made none), and every submission of it is final. Until the last of
them has judged it, it may not go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from schemas import mailbox_events as e
from schemas.events import Attempted, Received
from schemas.identity import submission_id
from streams.outbound.queue import FINAL

Copies = dict[str, bool]
"""By mailbox or submission: whether it has the mail; one that has ended with it never has it again.
"""


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


def settle(copies: Copies, event: Attempted) -> bool:
    """Take an attempt into the copies of its mail; return whether a submission is final now."""
    if event.outcome not in FINAL:
        return False
    copies[event.submission_id] = False
    if event.bounce_id:
        # The report shows the header of the mail.
        copies.setdefault(event.bounce_id, True)
    return True


def needed_by(received: Received) -> list[str]:
    """Return the mailboxes and submissions that a mail was received for."""
    forwards = (submission_id(received.mail_id, n) for n in range(received.forwards))
    return [*received.mailboxes, *forwards]


def ended(copies: Mapping[str, bool], wanted: Collection[str] | None) -> bool:
    """Say whether nobody needs the mail any more, nor will need it.

    `wanted` are those that it was received for; None when its content is gone already.
    """
    all_of_them = copies if wanted is None else {*wanted, *copies}
    return bool(all_of_them) and all(copies.get(one) is False for one in all_of_them)
