"""Open mailboxes and make labels, as the command line does."""

from __future__ import annotations

import time

from infra.ports import Outcome, Output
from mailfold.cli.output import Failure
from mailfold.wiring import House
from schemas.commands import Command, DefineLabel, OpenMailbox
from schemas.identity import derived, timed
from schemas.labels import SYSTEM_LABELS
from schemas.parts import LabelSecret
from schemas.seal import seal


def open_mailbox(house: House, mailbox_id: str) -> None:
    """Append the command that opens a mailbox; its key is durable first."""
    house.keys.ensure([mailbox_id])
    append(
        house,
        OpenMailbox(
            # The same mailbox is opened once, however often it is asked for.
            command_id=derived("open", mailbox_id),
            mailbox_id=mailbox_id,
            occurred_at=house.clock(),
            actor="admin",
        ),
    )


def label_id(house: House, mailbox_id: str, name: str) -> str:
    """Return the identifier of the label called `name`, made when there is none."""
    if name.upper() in SYSTEM_LABELS:
        return name.upper()
    labels, _ = house.reader.labels(mailbox_id)
    for row in labels:
        if row.name.casefold() == name.casefold():
            return row.label_id
    # It follows from the name: two imports under a new name at once make one label.
    identity = derived("label", mailbox_id, name.casefold())
    command = derived("define", identity, house.random(16))
    key = house.keys.ensure([mailbox_id])[mailbox_id]
    append(
        house,
        DefineLabel(
            command_id=command,
            mailbox_id=mailbox_id,
            occurred_at=house.clock(),
            actor="admin",
            label_id=identity,
            sealed=seal(LabelSecret(name=name), key, command, house.random),
        ),
    )
    return identity


def label_id_of(house: House, mailbox_id: str, name: str) -> str:
    """Return the identifier of the label called `name`. Raises Failure when there is none."""
    if name.upper() in SYSTEM_LABELS:
        return name.upper()
    for row in house.reader.labels(mailbox_id)[0]:
        if row.name.casefold() == name.casefold():
            return row.label_id
    raise Failure(f"there is no label {name}")


def append(house: House, command: Command) -> None:
    """Append a command. Raises EngineDown."""
    house.log.append([Output.of(command)])


def wait_for(house: House, command: Command, seconds: float) -> Outcome | None:
    """Return the outcome of a command; None when nobody judged it within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        outcome = house.outcomes.outcome(command.mailbox_id, command.command_id)
        if outcome is not None or time.monotonic() >= deadline:
            return outcome
        time.sleep(0.02)


def new_command_id(house: House) -> str:
    """Return the identity of a new command."""
    return timed(house.clock(), house.random(10))
