"""Erase mail for good, and return when its bytes are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from infra.ports import Account, EngineDown
from mailfold.driving import Driver, driving
from mailfold.mailboxes import append, new_command_id
from mailfold.queueing import drop_erased
from mailfold.wiring import House
from projections.scrub import scrub
from projections.versions import Versions
from schemas.codec import decode_as
from schemas.commands import Command, DefineFilter, DeleteLabel, Erase
from schemas.events import Received
from schemas.identity import message_id
from schemas.mailbox_events import Erased, MailboxOpened
from schemas.parts import ErasedBy
from schemas.topics import MAIL_RECEIVED, MAILBOX_EVENTS
from streams.topology import LIFECYCLE, RELEASE

AT_ONCE = 500
"""Messages in one command."""

ACTOR = "admin"


def erase_mails(house: House, mail_ids: Sequence[str], mailbox_id: str | None) -> int:
    """Erase mails in one mailbox, or everywhere and from the queue; return how many that were.

    Raises Failure when the pipeline stands still, EngineDown.
    """
    with driving(house) as pipeline:
        pipeline.catch_up_all()
        messages = {
            mailbox: [message_id(mailbox, m) for m in mail_ids if mailbox in mailboxes_of(house, m)]
            for mailbox in sorted({x for m in mail_ids for x in mailboxes_of(house, m)})
            if mailbox_id in (None, mailbox)
        }
        # What is not sent yet goes first, or it might leave meanwhile.
        unsent = drop_erased(house, mail_ids) if mailbox_id is None else 0
        erased = _erase(house, pipeline, messages, "admin") + unsent
        if mailbox_id is None:
            _destroy_rest(house, mail_ids)
        _clean(house, pipeline)
    return erased


def erase_account(house: House, account: Account) -> int:
    """Erase all that an account has; return how many messages that were.

    The key of the mailbox goes first: from then on whatever still arrives is erased as it comes.
    Interrupted, it is to be done again. Raises Failure, EngineDown.
    """
    mailbox = account.mailbox_id
    house.keys.destroy([mailbox])
    with driving(house) as pipeline:
        pipeline.catch_up_all()
        _scrub(house, pipeline)
        _perform(house, pipeline, _definitions(house, mailbox))
        erased = _erase(house, pipeline, {mailbox: all_messages(house, mailbox)}, "account")
        _clean(house, pipeline)
    return erased


def _definitions(house: House, mailbox: str) -> list[Command]:
    """Return the commands that take labels and filters, and what they are called, from view."""
    labels, _ = house.reader.labels(mailbox)
    filters, _ = house.reader.filters(mailbox)

    def head() -> dict[str, Any]:
        return {
            "command_id": new_command_id(house),
            "mailbox_id": mailbox,
            "occurred_at": house.clock(),
            "actor": ACTOR,
        }

    return [
        *(DeleteLabel(**head(), label_id=x.label_id) for x in labels if not x.system),
        *(DefineFilter(**head(), filter_id=x.filter_id, deleted=True, sealed=b"") for x in filters),
    ]


def erase_again(house: House) -> int:
    """Destroy keys of what the log says is erased; return how many there were.

    After an older key file was put in place. Raises Failure, EngineDown.
    """
    reader = house.log.reader(MAILBOX_EVENTS, {})
    destroyed = 0
    try:
        while events := [r.decode() for r in reader.poll(AT_ONCE, 0.0)]:
            gone = [x for x in events if isinstance(x, Erased)]
            opened = {x.mailbox_id for x in events if isinstance(x, MailboxOpened)}
            mails = {x.mail_id for x in gone}
            names = [x.message_id for x in gone]
            # A mail that ended has no content; one that others still have keeps its key.
            names += mails - house.content.having(mails)
            names += [m for m in opened if house.directory.account_of(m) is None]
            found = list(house.keys.get(names))
            house.keys.destroy(found)
            destroyed += len(found)
    finally:
        reader.close()
    with driving(house) as pipeline:
        _clean(house, pipeline)
    return destroyed


def mailboxes_of(house: House, mail_id: str) -> Sequence[str]:
    """Return the mailboxes that a mail was received for; none of a mail that is not known."""
    received = received_as(house, mail_id)
    return received.mailboxes if received is not None else ()


def received_as(house: House, mail_id: str) -> Received | None:
    """Return how a mail was received; None for one that is not known."""
    content = house.content.get([mail_id]).get(mail_id)
    if content is not None:
        return cast("Received", content.received.decode())
    for record in house.log.find(MAIL_RECEIVED, mail_id):
        return decode_as(Received, record.value)
    return None


def all_messages(house: House, mailbox_id: str) -> list[str]:
    """Return the messages of a mailbox that are not erased, expunged ones too."""
    found: dict[str, None] = {}
    since = 0
    while True:
        entries, _ = house.reader.history(mailbox_id, since, 5_000)
        if not entries:
            return list(found)
        for entry in entries:
            if entry.type == "Delivered" and entry.message_id is not None:
                found[entry.message_id] = None
        since = entries[-1].seq


def _erase(
    house: House, pipeline: Driver, messages: Mapping[str, Sequence[str]], by: ErasedBy
) -> int:
    commands = [
        Erase(
            command_id=new_command_id(house),
            mailbox_id=mailbox,
            occurred_at=house.clock(),
            actor=ACTOR,
            message_ids=list(ids[start : start + AT_ONCE]),
            by=by,
        )
        for mailbox, ids in messages.items()
        for start in range(0, len(ids), AT_ONCE)
    ]
    refused = _perform(house, pipeline, commands)
    return sum(len(c.message_ids) for c in commands) - refused


def _perform(house: House, pipeline: Driver, commands: Sequence[Command]) -> int:
    """Have commands judged; return how many refusals there were."""
    for command in commands:
        append(house, command)
    refused = 0
    for command in commands:
        pipeline.until(
            lambda c=command: house.outcomes.outcome(c.mailbox_id, c.command_id) is not None,
            "the mailbox stage judging a command",
        )
        outcome = house.outcomes.outcome(command.mailbox_id, command.command_id)
        refused += len(outcome.refusals) if outcome is not None else 0
    return refused


def _destroy_rest(house: House, mail_ids: Iterable[str]) -> None:
    """Destroy mails of which a mailbox never got its message: those among the dead letters."""
    rest = list(mail_ids)
    house.keys.destroy(rest)
    house.garbage.release(rest, house.clock())
    house.content.remove(rest)


def _clean(house: House, pipeline: Driver) -> None:
    """Wait until keys, content and parts are gone, then leave nothing in any view."""
    pipeline.catch_up(LIFECYCLE)
    pipeline.catch_up(RELEASE)
    last = house.clock() + int(house.settings.parts_grace * 1_000_000)

    def collected() -> bool:
        due = house.garbage.next()
        return due is None or due > last

    pipeline.until(collected, "the deletion of parts that no mail needs")
    _scrub(house, pipeline)


def _scrub(house: House, pipeline: Driver) -> None:
    for name, versions in house.versions.items():
        pipeline.until(
            partial(_scrubbed, house, versions), f"cleaning the files of projection {name}"
        )


def _scrubbed(house: House, versions: Versions) -> bool:
    try:
        scrub(house.log, versions)
    except EngineDown:
        # A reader is in the way for now.
        return False
    return True
