"""The ports of the house: what the rooms ask of engines, and nothing else.

Adapters are plain classes that satisfy these Protocols, one folder an engine; only
`mailfold.wiring` picks among them. Methods block unless they are `async`. One file a concern;
whoever uses a port imports it from here.
"""

from infra.ports.directory import (
    Account,
    Directory,
    DirectoryError,
    DomainKey,
    DomainKeyKind,
    DomainKeys,
    Grant,
    Recipient,
)
from infra.ports.doors import Arrival, Intake, Lag, Limits, Resolve, Room
from infra.ports.engine import Checkpoint, Clock, EngineDown, Fault, Fenced, Position, Random
from infra.ports.kept import (
    Content,
    ContentStore,
    KeyStore,
    KeyTaken,
    PartGarbage,
    PartMissing,
    PartStore,
)
from infra.ports.log import (
    Caused,
    EventLog,
    LogTransaction,
    Output,
    Progress,
    Reader,
    Record,
    Told,
    TransactionalLog,
    traceparent,
)
from infra.ports.outbound import MAX_REPLY, Backlog, Backlogs, Courier, Parcel, Receipt, SealingKeys
from infra.ports.stages import DeadLetter, DeadLetters, Due, Outcome, Outcomes, Refusal, Timers
from infra.ports.wake import Listener, Wake

__all__ = [
    "MAX_REPLY",
    "Account",
    "Arrival",
    "Backlog",
    "Backlogs",
    "Caused",
    "Checkpoint",
    "Clock",
    "Content",
    "ContentStore",
    "Courier",
    "DeadLetter",
    "DeadLetters",
    "Directory",
    "DirectoryError",
    "DomainKey",
    "DomainKeyKind",
    "DomainKeys",
    "Due",
    "EngineDown",
    "EventLog",
    "Fault",
    "Fenced",
    "Grant",
    "Intake",
    "KeyStore",
    "KeyTaken",
    "Lag",
    "Limits",
    "Listener",
    "LogTransaction",
    "Outcome",
    "Outcomes",
    "Output",
    "Parcel",
    "PartGarbage",
    "PartMissing",
    "PartStore",
    "Position",
    "Progress",
    "Random",
    "Reader",
    "Receipt",
    "Recipient",
    "Record",
    "Refusal",
    "Resolve",
    "Room",
    "SealingKeys",
    "Timers",
    "Told",
    "TransactionalLog",
    "Wake",
    "traceparent",
]
