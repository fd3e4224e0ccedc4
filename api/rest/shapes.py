"""The JSON of the API. Times are ISO 8601 in UTC with milliseconds, sizes octets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field


class Shape(Struct, rename="camel"):
    """What is answered."""


class Asked(Struct, rename="camel", forbid_unknown_fields=True):
    """What is asked. A name that is not known is a mistake, not a wish to be passed over."""


# -- login and mailboxes ----------------------------------------------------------------------


class Credentials(Asked):
    """An account and its password."""

    email: Annotated[str, Meta(max_length=320)]
    password: Annotated[str, Meta(max_length=1024)]


class Session(Shape):
    """A token for `Authorization: Bearer`."""

    token: str
    expires_at: str
    mailbox_id: str


class Counts(Shape):
    """Numbers of messages, SPAM and TRASH included."""

    messages: int
    unread: int


class Quota(Shape):
    """How much of the mailbox is used."""

    used_bytes: int
    limit_bytes: int


class Mailbox(Shape):
    """A mailbox."""

    id: str
    address: str
    counts: Counts
    quota: Quota
    seq: int


class Mailboxes(Shape):
    """The mailboxes that the caller may read."""

    mailboxes: list[Mailbox]


# -- messages ---------------------------------------------------------------------------------


class Address(Shape):
    """A person in a header field; both are empty when it could not be read."""

    email: str
    name: str


class Minimal(Shape):
    """A message without its header."""

    id: str
    thread_id: str
    label_ids: list[str]
    snippet: str
    received_at: str | None
    is_read: bool
    is_starred: bool
    has_attachments: bool
    size_bytes: int
    seq: int


class Listed(Minimal, kw_only=True):
    """A message in a list. `date` is what its sender says, null when that can't be read."""

    from_: Address = field(name="from")
    to: list[Address]
    subject: str
    date: str | None
    snippet_parts: list[str] | UnsetType = UNSET
    """In answers to a query alone: the snippet, every second part of it a match."""


Headers = dict[str, str | list[str]]
"""Header fields by name in lower case; a name that comes more than once has a list."""


class Metadata(Listed):
    """A message with its header."""

    headers: Headers


class Body(Shape):
    """`text` is the plain text, or that of the HTML when there is none; `html` is as sent.

    Whoever shows the HTML sanitises it.
    """

    text: str
    html: str | None


class Attachment(Shape):
    """A part that can be downloaded."""

    id: str
    filename: str
    mime_type: str
    size: int


class SpfShape(Shape):
    """SPF (RFC 7208)."""

    result: str
    domain: str
    reason: str


class DkimShape(Shape):
    """One DKIM signature (RFC 6376)."""

    result: str
    domain: str
    selector: str
    reason: str


class DmarcShape(Shape):
    """DMARC (RFC 9989)."""

    result: str
    domain: str
    policy: str
    disposition: str
    reason: str


class ArcShape(Shape):
    """The ARC chain (RFC 8617)."""

    result: str
    reason: str


class Authentication(Shape):
    """What was found out about the sender, in the words of RFC 8601 section 2.7."""

    spf: SpfShape
    dkim: list[DkimShape]
    dmarc: DmarcShape
    arc: ArcShape


class Spam(Shape):
    """How the message was judged; `probability` is from 0 to 1."""

    verdict: str
    probability: float
    reasons: list[str]


class Full(Metadata):
    """A message with all that is in it."""

    body: Body
    attachments: list[Attachment]
    authentication: Authentication | None
    spam: Spam | None


class Messages(Shape):
    """A page of messages, newest first."""

    messages: list[Listed]
    next_page_token: str | None
    result_size_estimate: int


Id = Annotated[str, Meta(max_length=64)]
LabelIds = Annotated[list[Id], Meta(max_length=100)]


class Modify(Asked):
    """What to change of a message; what is absent stays."""

    add_label_ids: LabelIds = field(default_factory=list[str])
    remove_label_ids: LabelIds = field(default_factory=list[str])
    is_read: bool | None = None
    is_starred: bool | None = None


class BatchModify(Asked):
    """What to change of up to 1,000 messages."""

    ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)]
    add_label_ids: LabelIds = field(default_factory=list[str])
    remove_label_ids: LabelIds = field(default_factory=list[str])
    is_read: bool | None = None
    is_starred: bool | None = None


class Refused(Shape):
    """A message that was not changed, and the `error` it would have had alone."""

    id: str
    error: str


class Modified(Shape):
    """The messages as they are now."""

    messages: list[Listed]
    refused: list[Refused]


class Gone(Shape):
    """A message that is not in the mailbox any more."""

    id: str
    status: Literal["expunged", "erased"]


class Pending(Shape):
    """The command is durable and will be carried out; its effect can't be read yet."""

    status: Literal["pending"]
    command_id: str


# -- conversations and contacts ---------------------------------------------------------------


class Conversation(Shape):
    """A conversation in a list, over its messages that are in neither SPAM nor TRASH.

    `subject` is that of its first message, `snippet` that of its last.
    """

    id: str
    subject: str
    snippet: str
    participants: list[Address]
    label_ids: list[str]
    message_count: int
    unread_count: int
    is_starred: bool
    has_attachments: bool
    first_message_at: str | None
    last_message_at: str | None
    seq: int


class Conversations(Shape):
    """A page of conversations, newest first."""

    threads: list[Conversation]
    next_page_token: str | None


class ConversationShape(Conversation):
    """A conversation with a page of its messages, oldest first."""

    messages: list[Listed]
    next_page_token: str | None


class MoveTo(Asked):
    """Where a message is to go; null for a new conversation of its own."""

    thread_id: Annotated[str, Meta(max_length=64)] | None = None


class Contact(Shape):
    """A person; `messages` tell of them, the newest of `lastMessageAt`."""

    email: str
    name: str
    messages: int
    last_message_at: str | None


class Contacts(Shape):
    """People, best first."""

    contacts: list[Contact]


# -- labels -----------------------------------------------------------------------------------


class Label(Shape):
    """A label with its numbers of messages."""

    id: str
    name: str
    type: Literal["system", "user"]
    color: str
    messages_total: int
    messages_unread: int


class Labels(Shape):
    """System labels in their order, then the user's by name."""

    labels: list[Label]


# Controls, ends of lines, and what turns the direction of what is around it. Not the joiners that
# some scripts and pictures are written with, nor letters younger than this Python.
_UNWRITABLE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"

UNWRITABLE = re.compile(f"[{_UNWRITABLE}]")
"""What no name of a label has."""

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=225,
        extra_json_schema={"pattern": rf"^(?=.*\S)[^{_UNWRITABLE}]+$"},
    ),
]
Color = Annotated[str, Meta(pattern="^(#[0-9a-fA-F]{6})?$")]


class NewLabel(Asked):
    """A label to be made. `color` is #rrggbb, or empty."""

    name: Name
    color: Color = ""


class LabelChange(Asked):
    """What to change of a label; what is absent stays."""

    name: Name | UnsetType = UNSET
    color: Color | UnsetType = UNSET


# -- filters ----------------------------------------------------------------------------------


class Filter(Shape):
    """What is done to new mail that `query` matches.

    `neverSpam` outweighs the spam score; it lets nothing through that is phishing, or that its
    domain's DMARC policy disowns.
    """

    id: str
    query: str
    add_label_ids: list[str]
    archive: bool
    star: bool
    mark_read: bool
    never_spam: bool


class Filters(Shape):
    """The filters of a mailbox, the one that was changed last at the end."""

    filters: list[Filter]


class NewFilter(Asked):
    """A filter to be made, or what another is to become; it asks for one thing at least.

    `archive` keeps mail out of INBOX.
    """

    query: Annotated[str, Meta(min_length=1, max_length=2000)]
    add_label_ids: LabelIds = field(default_factory=list[str])
    archive: bool = False
    star: bool = False
    mark_read: bool = False
    never_spam: bool = False


# -- history ----------------------------------------------------------------------------------


class Event(Shape):
    """A change. Beside these it has the fields of its record, named in camelCase."""

    seq: int
    type: str
    occurred_at: str | UnsetType = UNSET
    recorded_at: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    message_id: str | UnsetType = UNSET
    mail_id: str | UnsetType = UNSET
    thread_id: str | UnsetType = UNSET


class History(Shape):
    """Changes in order, one a seq; of an erased message `seq` and `type` alone are left."""

    events: list[dict[str, Any]]
    next_since: int


class Sent(Shape):
    """A server-sent event: a change, its seq as `id`."""

    id: Annotated[str, Meta(pattern="^[0-9]+$")]
    event: str
    data: Annotated[
        str,
        Meta(
            description="The change in JSON, as in a history.",
            extra_json_schema={"contentMediaType": "application/json"},
        ),
    ]


class Trace(Shape):
    """Every event of a mail, as far as it concerns this mailbox, with its stage."""

    events: list[dict[str, Any]]


class Health(Shape):
    """Whether the server works."""

    status: Literal["ok"]


_SOME = {"minItems": 1}
_SAID = {"type": "boolean"}
_A_CHANGE = {
    "anyOf": [
        {"required": [name], "properties": {name: what}}
        for name, what in (
            ("addLabelIds", _SOME),
            ("removeLabelIds", _SOME),
            ("isRead", _SAID),
            ("isStarred", _SAID),
        )
    ]
}

FURTHER: Mapping[str, dict[str, Any]] = {
    "Modify": _A_CHANGE,
    "BatchModify": _A_CHANGE,
    "LabelChange": {"minProperties": 1},
}
"""What the schemas of these shapes say beside what their fields do: a change changes something."""
