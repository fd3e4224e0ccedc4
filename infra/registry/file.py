"""A schema registry kept in one JSON file, shared by the processes of one machine.

It knows what a Confluent registry knows: subjects, their versions, and an id for each schema
that is the same in every subject and never changes. The file is replaced as a whole under a
lock, so readers need none; ids are only ever added.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from infra.locks import locked

_LOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a subject."""

    subject: str
    version: int
    id: int
    schema: str


class UnknownSchema(Exception):
    """An id that this registry never gave."""


class FileRegistry:
    """The registry in a file, which is made when the first schema is registered."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mutex = threading.Lock()
        self._ids: dict[tuple[str, str], int] = {}
        self._subjects: dict[int, str] = {}
        self._schemas: dict[int, str] = {}

    def register(self, subject: str, schema: str) -> int:
        """The id of a schema in a subject, given now when it is new. Durable on return.

        `schema` is the text of an .avsc file; spaces in it and the order of keys mean nothing.
        Raises LockHeld when another process keeps the file locked for 30 seconds.
        """
        canonical = _canonical(schema)
        known = self._ids.get((subject, canonical))
        if known is not None:
            return known
        with self._mutex, locked(self._file.with_name(self._file.name + ".lock"), _LOCK_SECONDS):
            entries = self._load()
            for entry in entries:
                if entry.subject == subject and entry.schema == canonical:
                    return entry.id
            same = [entry.id for entry in entries if entry.schema == canonical]
            id = same[0] if same else max((entry.id for entry in entries), default=0) + 1
            version = sum(entry.subject == subject for entry in entries) + 1
            self._replace([*entries, Registered(subject, version, id, canonical)])
            self._load()
            return id

    def subject(self, id: int) -> str:
        """A subject in which the schema with this id was registered. Raises UnknownSchema."""
        return self._known(id, self._subjects)

    def schema(self, id: int) -> str:
        """The schema with this id, as JSON. Raises UnknownSchema."""
        return self._known(id, self._schemas)

    def entries(self) -> list[Registered]:
        """All that is registered, oldest first."""
        return self._load()

    def _known(self, id: int, table: dict[int, str]) -> str:
        if id not in table:
            # Another process may have registered it since.
            self._load()
        try:
            return table[id]
        except KeyError:
            raise UnknownSchema(f"schema id {id} is not in {self._file}") from None

    def _load(self) -> list[Registered]:
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        found = [Registered(**entry) for entry in cast("list[dict[str, Any]]", json.loads(text))]
        for entry in found:
            self._ids[entry.subject, entry.schema] = entry.id
            self._subjects.setdefault(entry.id, entry.subject)
            self._schemas[entry.id] = entry.schema
        return found

    def _replace(self, entries: list[Registered]) -> None:
        document = [
            {"subject": e.subject, "version": e.version, "id": e.id, "schema": e.schema}
            for e in entries
        ]
        part = self._file.with_name(self._file.name + ".part")
        with part.open("w", encoding="utf-8") as out:
            json.dump(document, out, indent=1)
            out.flush()
            # Records that name an id are durable in the log: the id must be so before them.
            os.fsync(out.fileno())
        os.replace(part, self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _canonical(schema: str) -> str:
    return json.dumps(json.loads(schema), separators=(",", ":"), sort_keys=True)
