"""Commands to a mailbox.

Field for field what the .avsc files say, in which the meaning and the unit of each field stands.
"""

from __future__ import annotations

from msgspec import Struct, field

from schemas.parts import ErasedBy, LabelledBy, Policy, Source, Verdict


class Command(Struct, frozen=True, kw_only=True, gc=False):
    """A wish of somebody, judged by the mailbox stage."""

    command_id: str
    mailbox_id: str
    occurred_at: int
    actor: str
    if_seq: int | None = None
    caused_by: str | None = None


class OpenMailbox(Command, frozen=True, kw_only=True):
    """Open a mailbox with its system labels."""


class Deliver(Command, frozen=True, kw_only=True):
    """Deliver a mail into a mailbox."""

    mail_id: str
    authenticated_id: str
    scored_id: str
    verdict: Verdict
    disposition: Policy = "unknown"
    source: Source
    size: int
    received_at: int
    internal_date: int
    labels: list[str] = field(default_factory=list[str])
    flags: list[str] = field(default_factory=list[str])
    raw_hmac: bytes
    reverse_path_hmac: bytes


class ChangeLabels(Command, frozen=True, kw_only=True):
    """Change labels and flags of messages."""

    message_ids: list[str]
    add_labels: list[str] = field(default_factory=list[str])
    remove_labels: list[str] = field(default_factory=list[str])
    add_flags: list[str] = field(default_factory=list[str])
    remove_flags: list[str] = field(default_factory=list[str])
    by: LabelledBy = "user"


class DefineLabel(Command, frozen=True, kw_only=True):
    """Make a label."""

    label_id: str
    color: str = ""
    sealed: bytes


class RenameLabel(Command, frozen=True, kw_only=True):
    """Change name or colour of a label."""

    label_id: str
    color: str = ""
    sealed: bytes


class DeleteLabel(Command, frozen=True, kw_only=True):
    """Delete a user's label; its messages stay."""

    label_id: str


class MoveToThread(Command, frozen=True, kw_only=True):
    """Move messages into another thread, or out into one of their own."""

    message_ids: list[str]
    thread_id: str = ""


class DefineFilter(Command, frozen=True, kw_only=True):
    """Make, change or delete a filter."""

    filter_id: str
    labels: list[str] = field(default_factory=list[str])
    archive: bool = False
    star: bool = False
    read: bool = False
    never_spam: bool = False
    deleted: bool = False
    sealed: bytes


class Teach(Command, frozen=True, kw_only=True):
    """A person says what messages are."""

    message_ids: list[str]
    verdict: Verdict


class Expunge(Command, frozen=True, kw_only=True):
    """Take messages out of the mailbox; they can be restored within the undelete window."""

    message_ids: list[str]
    window: int
    label: str = ""
    uid: int = 0


class Restore(Command, frozen=True, kw_only=True):
    """Bring expunged messages back."""

    message_ids: list[str]


class Erase(Command, frozen=True, kw_only=True):
    """Erase messages for good."""

    message_ids: list[str]
    by: ErasedBy = "user"
