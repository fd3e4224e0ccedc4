"""The projections that there are: what each is the fold of, and the code that makes a version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.ports import Checkpoint, KeyStore
from projections.contacts import tables as contacts
from projections.contacts.sqlite import SqliteContacts
from projections.mailbox import tables as mailbox
from projections.mailbox.sqlite import SqliteMailboxProjection
from projections.ports import Projection


@dataclass(frozen=True, slots=True)
class View:
    """A projection; `format` is that of its tables and fold in this code."""

    format: int
    make: Callable[[Path, KeyStore, Checkpoint], Projection]


VIEWS: dict[str, View] = {
    "mailbox": View(mailbox.FORMAT, SqliteMailboxProjection),
    "contacts": View(contacts.FORMAT, SqliteContacts),
}
"""By the name that the topology gives."""
