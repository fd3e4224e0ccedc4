"""Every port of the house on one page: what the rooms ask of engines, and nothing else.

Adapters are plain classes that satisfy these Protocols, one folder an engine; only
`mailfold.wiring` picks among them. Methods block unless they are `async`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from schemas.codec import decode, encode
from schemas.identity import to_bytes
from schemas.topics import identity_of, key_of, topic_of

Clock = Callable[[], int]
"""Now, in microseconds since 1970 UTC."""

Random = Callable[[int], bytes]
"""That many random octets, fit for keys."""

Checkpoint = Callable[[str], None]
"""Called by name at every point between outputs, state and position; tests kill there."""

Position = Mapping[int, int]
"""Where a consumer stands in a topic: partition -> offset of the next record. {} is the start."""


Fault = Literal["away", "busy", "full", "disk", "denied", "damaged"]
"""What is the matter with an engine: not there, held by somebody else, out of room, the disk gives
errors, not allowed to us, its data are broken."""


class EngineDown(Exception):
    """An engine can't be reached or refuses; the same call may succeed later."""

    def __init__(self, text: str, fault: Fault = "away") -> None:
        super().__init__(text)
        self.text = text
        self.fault: Fault = fault


class Fenced(Exception):
    """Another process has taken this partition over; the caller must stop at once."""


# -- the log ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Output:
    """A record to be appended."""

    topic: str
    key: str
    type: str
    event_id: str
    value: bytes

    @staticmethod
    def of(record: msgspec.Struct) -> Output:
        """Return `record` encoded for its topic. Raises CodecError."""
        return Output(
            topic_of(record),
            key_of(record),
            type(record).__name__,
            identity_of(record),
            encode(record),
        )


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the log holds it. `recorded_at` (microseconds) was given by the log."""

    topic: str
    partition: int
    offset: int
    key: str
    type: str
    event_id: str
    recorded_at: int
    value: bytes

    def decode(self) -> msgspec.Struct:
        """Return the event or command in it. Raises CodecError."""
        return decode(self.type, self.value)


def traceparent(trace: str, span: str) -> str:
    """Return the W3C traceparent of a record: trace = mail (or command), span = event.

    Both follow from identifiers, so a trace is the same in every engine and after every rebuild.
    """
    return f"00-{to_bytes(trace).hex()}-{to_bytes(span).hex()[:16]}-01"


class Reader(Protocol):
    """Reads one topic in order from a position, committed records only."""

    @property
    def position(self) -> Position:
        """Where the next record is read."""
        ...

    def poll(self, limit: int, timeout: float) -> Sequence[Record]:
        """Return up to `limit` records; wait at most `timeout` seconds when there is none."""
        ...

    def close(self) -> None:
        """Give the reader's resources back."""
        ...


class EventLog(Protocol):
    """The immutable log. Appends are durable when they return."""

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in order, all or (after EngineDown) possibly none. Raises EngineDown."""
        ...

    def reader(self, topic: str, position: Position) -> Reader:
        """Return a reader of `topic` that begins at `position`."""
        ...

    def end(self, topic: str) -> Position:
        """Return the position behind the last committed record."""
        ...

    def begin(self, topic: str) -> Position:
        """Return the position of the first record still kept."""
        ...

    def position_at(self, topic: str, time: int) -> Position:
        """Return the position of the first record recorded at or after `time` (microseconds)."""
        ...

    def find(self, topic: str, key: str) -> Sequence[Record]:
        """Return all records of a mail (topics keyed by mail_id), in order."""
        ...

    def committed(self, group: str, topic: str) -> Position:
        """Return how far a consumer group has come."""
        ...

    def trim(self, topic: str, position: Position) -> None:
        """Delete the records before `position`; a partition that is not in it stays whole."""
        ...


class LogTransaction(Protocol):
    """Outputs, state and position as one: durable together or not at all."""

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in order."""
        ...

    def commit_position(self, group: str, topic: str, position: Position) -> None:
        """Set how far `group` has come."""
        ...


class TransactionalLog(EventLog, Protocol):
    """A log that lives in the same store as the state of its stages (the embedded one)."""

    def transaction(self) -> AbstractContextManager[LogTransaction]:
        """Begin a transaction; state stores of the same file write inside it."""
        ...

    def having(self, topic: str, keys: Collection[str]) -> frozenset[str]:
        """Return those of `keys` (mail_ids) that have a record in `topic`."""
        ...


# -- a log in partitions that several workers share --------------------------------------------


@dataclass(frozen=True, slots=True)
class Caused:
    """An output of a stage as the log holds it.

    `cause` is the offset of the record of the stage's source that it follows from, in the
    partition of the same number; None when the log does not tell.
    """

    record: Record
    cause: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition of a stage has come.

    Its state is the fold of the outputs below `folded`, and of later ones perhaps; every record
    of its source below `consumed` is processed.
    """

    folded: int = 0
    consumed: int = 0


# -- keys, content, parts ---------------------------------------------------------------------


class KeyStore(Protocol):
    """Content, digest and mailbox keys by the identifier of what they seal; durable as the log.

    A destroyed key is never followed by another: what was erased stays erased, and whoever meets
    it again can tell it from a key that was lost.
    """

    def put(self, keys: Mapping[str, bytes]) -> None:
        """Store keys that the caller made for identifiers that are new. Durable on return.

        Raises KeyTaken, with nothing stored, when one of them has another key, or had one.
        """
        ...

    def ensure(self, identifiers: Sequence[str]) -> Mapping[str, bytes]:
        """Return the key of each, made and durable where there was none.

        One whose key was destroyed is missing.
        """
        ...

    def get(self, identifiers: Sequence[str]) -> Mapping[str, bytes]:
        """Return the keys that exist; a destroyed one is missing."""
        ...

    def destroy(self, identifiers: Sequence[str]) -> None:
        """Destroy keys so that no file holds their bytes. Durable on return.

        An identifier that has no key yet never gets one.
        """
        ...

    def destroyed(self, identifiers: Sequence[str]) -> frozenset[str]:
        """Return those whose key was destroyed; a lost one is neither here nor in `get`."""
        ...

    def secret(self) -> bytes:
        """Return the installation's secret of 32 octets, made at the first call."""
        ...


class KeyTaken(Exception):
    """Identifiers have other keys: what was sealed with the offered ones must be sealed anew."""

    def __init__(self, identifiers: Sequence[str]) -> None:
        super().__init__(f"{len(identifiers)} identifiers have other keys")
        self.identifiers = tuple(identifiers)


class PartStore(Protocol):
    """Large parts by name (32 octets). A part is there before an event names it."""

    def put(self, mail_id: str, parts: Mapping[bytes, bytes]) -> None:
        """Store parts and the references of `mail_id` to them; a known one refreshes its age."""
        ...

    def get(self, name: bytes) -> bytes:
        """Return a part. Raises PartMissing."""
        ...


class PartGarbage(Protocol):
    """What becomes of large parts that no mail needs any more. Times are microseconds."""

    def release(self, mail_ids: Sequence[str], now: int) -> None:
        """Forget what these mails need; mark the parts that no mail needs then. Idempotent."""
        ...

    def collect(self, now: int) -> int | None:
        """Delete what was marked long enough ago and is needed by none.

        Returns when there is more to do, None when nothing is marked.
        """
        ...

    def next(self) -> int | None:
        """Return when `collect` has something to do, None when nothing is marked."""
        ...


class PartMissing(Exception):
    """A part that an event names is not in the store."""


@dataclass(frozen=True, slots=True)
class Content:
    """What the content store holds of a mail; all personal fields sealed with its content key.

    `digest` is a Digest sealed for the mail_id in place of an event's identity.
    """

    received: Record
    authenticated: bytes
    scored: bytes
    digest: bytes


class ContentStore(Protocol):
    """Mail by mail_id: the Received as sealed, and the judgement; the first one put counts."""

    def put(self, contents: Mapping[str, Content]) -> Mapping[str, Content]:
        """Store what is absent; return for each mail_id what is stored now."""
        ...

    def get(self, mail_ids: Sequence[str]) -> Mapping[str, Content]:
        """Return the content of those that are there."""
        ...

    def remove(self, mail_ids: Sequence[str]) -> None:
        """Forget mails that are erased everywhere. Idempotent."""
        ...

    def having(self, mail_ids: Collection[str]) -> frozenset[str]:
        """Return those of `mail_ids` that are there."""
        ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail at a door, sealed and ready: in this order its parts, key and Received get durable."""

    received: Output
    mail_id: str
    key: bytes
    parts: Mapping[bytes, bytes]


class Intake(Protocol):
    """The one way in for mail, with group commit over all sessions."""

    async def accept(self, arrival: Arrival) -> None:
        """Return when the mail is durable. Raises EngineDown with nothing half accepted.

        Raises KeyTaken when the mail_id has another key: an identifier that is not new (an
        import's) needs `KeyStore.ensure` before sealing.
        """
        ...


# -- stages -----------------------------------------------------------------------------------


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


class Wake(Protocol):
    """Wakes processes of this installation without polling."""

    def notify(self, channel: str) -> None:
        """Tell whoever waits on `channel`; never blocks, never fails."""
        ...

    def listen(self, channel: str) -> Listener:
        """Return a listener; what was notified before is not heard."""
        ...


class Listener(Protocol):
    """One waiter on a channel."""

    def fileno(self) -> int:
        """Return a file descriptor that is readable when something was notified."""
        ...

    def drain(self) -> None:
        """Take all notifications; call it before reading what they tell of."""
        ...

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds and drain; return whether something was notified."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


# -- directory, limits ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """An account and its one mailbox."""

    address: str
    mailbox_id: str
    created_at: int
    quota_bytes: int


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a forward-path resolves to. `detail` is the sub-address (RFC 5233), "" without one."""

    mailbox_id: str
    address: str
    detail: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows."""

    account: Account
    scope: Literal["read", "write"]
    expires_at: int


class Directory(Protocol):
    """Accounts, domains, aliases and tokens."""

    def hosts(self, domain: str) -> bool:
        """Say whether mail for `domain` is ours."""
        ...

    def resolve(self, address: str) -> Recipient | None:
        """Return whom an address reaches: account, alias or sub-address; None for nobody."""
        ...

    def accounts(self) -> Sequence[Account]:
        """Return all accounts, by address."""
        ...

    def account(self, address: str) -> Account | None:
        """Return one account by its address."""
        ...

    def account_of(self, mailbox_id: str) -> Account | None:
        """Return one account by its mailbox."""
        ...

    def login(self, address: str, password: str) -> Account | None:
        """Return the account when the password is right; takes as long when there is none."""
        ...

    def grant(self, token: str, now: int) -> Grant | None:
        """Return what a token allows; None when unknown or expired."""
        ...

    def create_token(
        self, address: str, scope: Literal["read", "write"], expires_at: int, now: int
    ) -> str:
        """Return a new token; only its hash is kept. Raises DirectoryError."""
        ...


DomainKeyKind = Literal["rsa", "ed25519"]


@dataclass(frozen=True, slots=True)
class DomainKey:
    """A signing key of a domain of ours.

    `record` is the text to publish; `sealed` the private half under the key `key_id` of the key
    store, empty when it was destroyed.
    """

    domain: str
    selector: str
    kind: DomainKeyKind
    created_at: int
    record: str
    key_id: str
    sealed: bytes = field(repr=False)


class DomainKeys(Protocol):
    """The signing keys of our domains, private halves sealed."""

    def add(self, keys: Sequence[DomainKey]) -> None:
        """Keep new keys, all or none. Raises DirectoryError when a selector was in use before."""
        ...

    def of(self, domain: str) -> Sequence[DomainKey]:
        """Return the keys of a domain, oldest first. Raises DirectoryError when it is not ours."""
        ...

    def forget(self, keys: Sequence[DomainKey]) -> None:
        """Keep the private halves of these keys no longer; their selectors stay taken."""
        ...


class DirectoryError(Exception):
    """A change to the directory that can't be made; the text says why and what to do."""


class Room(Protocol):
    """How much a mailbox may still take."""

    def left(self, mailbox_id: str) -> int:
        """Return the octets left of its quota, below 0 when it holds more. Raises EngineDown."""
        ...


class Limits(Protocol):
    """Rate limits by name (see the settings) and key."""

    def hit(self, name: str, key: str) -> float:
        """Count one; return 0.0 when it is within the limit, else the seconds to wait."""
        ...


class Lag(Protocol):
    """How far the stages are behind the doors."""

    def lag(self) -> int:
        """Return the number of received mails not yet judged; may be a moment old, never raises."""
        ...


Resolve = Callable[[Sequence[object]], Awaitable[Mapping[object, object]]]
"""The DNS port: questions to answers, both values of mail.authentication.dns."""
