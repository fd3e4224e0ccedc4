"""Search as a house runs it: the versions of its index, and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from infra.ports import Checkpoint, Clock, ContentStore, KeyStore, PartStore
from projections.search.letters import Letters
from projections.search.sqlite import SqliteSearchProjection
from projections.search.sqlite_reader import SqliteSearchReader
from projections.search.tables import FORMAT
from projections.versions import Versions
from schemas.fingerprint import Fingerprint
from schemas.topics import MAILBOX_EVENTS
from streams.topology import SEARCH


def letters(
    content: ContentStore, keys: KeyStore, parts: PartStore, fingerprint: Fingerprint
) -> Letters:
    """Return what opens the mails that are searched."""
    return Letters(content, keys, parts, fingerprint)


def versions(
    folder: Path, keys: KeyStore, opened: Letters, checkpoint: Checkpoint, clock: Clock
) -> Versions:
    """Return the versions of the index."""
    return Versions(
        folder / f"{SEARCH.name}.db",
        SEARCH.name,
        MAILBOX_EVENTS,
        FORMAT,
        lambda path: SqliteSearchProjection(path, keys, opened, checkpoint),
        clock,
    )


def reader(live: Callable[[], Path], opened: Letters, clock: Clock) -> SqliteSearchReader:
    """Return what searches the live version."""
    return SqliteSearchReader(live, opened, clock)
