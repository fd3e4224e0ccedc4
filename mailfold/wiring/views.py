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
from projections.search import tables as search
from projections.search.letters import Letters
from projections.search.sqlite import SqliteSearchProjection


@dataclass(frozen=True, slots=True)
class Sources:
    """What a fold may read beside its events, and where tests stop it from outside."""

    keys: KeyStore
    letters: Callable[[], Letters]
    """Opens the content of mails; made when a fold asks for it."""
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class View:
    """A projection; `format` is that of its tables and fold in this code."""

    format: int
    make: Callable[[Path, Sources], Projection]
    between_scrubs: float = 0.0
    """Least seconds from one scrub by its consumer to the next; `mailfold erase` waits for none."""


VIEWS: dict[str, View] = {
    "mailbox": View(
        mailbox.FORMAT,
        lambda path, given: SqliteMailboxProjection(path, given.keys, given.checkpoint),
    ),
    "contacts": View(
        contacts.FORMAT,
        lambda path, given: SqliteContacts(path, given.keys, given.checkpoint),
    ),
    "search": View(
        search.FORMAT,
        lambda path, given: SqliteSearchProjection(
            path, given.keys, given.letters(), given.checkpoint
        ),
        between_scrubs=3600.0,
    ),
}
"""By the name that the topology gives."""
