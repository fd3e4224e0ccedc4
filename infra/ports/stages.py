"""What a stage keeps beside its state: dead letters, timers, outcomes of commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from infra.ports.log import Output, Record


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that a stage could not take, or one that waits behind such a one of its key."""

    id: int
    stage: str
    record: Record
    error: str
    attempts: int
    first_at: int
    last_at: int
    state: Literal["dead", "waiting", "retry"]


class DeadLetters(Protocol):
    """Sequenced dead letters: one poison record holds back its key, not the others."""

    def park(self, stage: str, record: Record, error: str, now: int) -> None:
        """Keep a record; `error` is a code and a type, "" when it only waits behind another."""
        ...

    def blocked(self, stage: str, keys: Sequence[str]) -> frozenset[str]:
        """Return those of `keys` that have records parked."""
        ...

    def list(self, stage: str | None = None) -> Sequence[DeadLetter]:
        """Return what is parked, in order."""
        ...

    def retry(self, ids: Sequence[int] | None) -> int:
        """Mark the keys of these letters (None: of all) to be tried again; return how many."""
        ...

    def retryable(self, stage: str) -> Sequence[DeadLetter]:
        """Return the letters of keys marked for another try, in order."""
        ...

    def failed(self, id: int, error: str, now: int) -> None:
        """The letter failed again; its key is blocked as before."""
        ...

    def done(self, id: int) -> None:
        """The letter was processed; its key is free when none is left."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """A command that is to be given at a time (microseconds), known by its command_id."""

    at: int
    command: msgspec.Struct


class Timers(Protocol):
    """Commands that wait for their time; written in the transaction of the state they are of."""

    def set(self, dues: Sequence[Due]) -> None:
        """Keep these; one that is kept already stays as it is."""
        ...

    def due(self, now: int, limit: int) -> Sequence[Output]:
        """Return up to `limit` commands whose time has come, the earliest first."""
        ...

    def done(self, command_ids: Sequence[str]) -> None:
        """Forget commands that were given."""
        ...

    def next(self) -> int | None:
        """Return the earliest time that is waited for, None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command had no effect on one message (or as a whole: message_id "")."""

    message_id: str
    code: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command: the mailbox's seq after it, and what was refused."""

    seq: int
    refusals: tuple[Refusal, ...] = ()


class Outcomes(Protocol):
    """Outcomes of commands, kept a day."""

    def outcome(self, mailbox_id: str, command_id: str) -> Outcome | None:
        """Return the outcome, None while the command has not been judged."""
        ...
