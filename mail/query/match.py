"""Whether one message is what a query means: the answer that every engine gives for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from mail.query.document import COLUMNS, Document
from mail.query.tokens import pattern, same_words
from mail.query.tree import (
    ANYWHERE,
    Aged,
    And,
    Dated,
    HasAttachment,
    Is,
    Label,
    MessageId,
    Node,
    Not,
    Or,
    Size,
    Text,
    leaves,
    moment,
)

_PLACE = {field: n for n, field in enumerate(COLUMNS)}
_CUT = frozenset({"to", "cc", "filename"})


@dataclass(frozen=True)
class Facts:
    """A message as a query looks at it. Dates in microseconds since 1970 UTC, `size` in octets."""

    document: Document
    in_label: Callable[[str], bool]
    """Whether it is in a label, told by a name or an identifier."""
    is_read: bool
    is_starred: bool
    has_attachment: bool
    size: int
    internal_date: int
    now: int

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The columns of the document, with one space before and behind each token."""
        return tuple(f" {' '.join(column.split())} " for column in self.document.columns)


def matches(node: Node, message: Facts) -> bool:
    """Say whether a message is one of those that a query means.

    Nothing is left out: a message in SPAM is judged as any other.
    """
    match node:
        case And(children):
            return all(matches(child, message) for child in children)
        case Or(children):
            return any(matches(child, message) for child in children)
        case Not(child):
            return not matches(child, message)
        case Text():
            return _says(node, message.words)
        case MessageId(value):
            return message.document.message_id == value
        case Label(name):
            return name.lower() == ANYWHERE or message.in_label(name)
        case Is("starred"):
            return message.is_starred
        case Is(state):
            return message.is_read == (state == "read")
        case HasAttachment():
            return message.has_attachment
        case Size("larger", octets):
            return message.size > octets
        case Size(_, octets):
            return message.size < octets
        case Dated("after", _) | Aged("newer_than", _, _):
            return message.internal_date >= moment(node, message.now)
        case Dated() | Aged():
            return message.internal_date < moment(node, message.now)


def _says(word: Text, columns: tuple[str, ...]) -> bool:
    found = pattern(word.text, word.prefix)
    # Tokens hold no space, so a phrase is found as text is.
    phrase = f" {' '.join(found.tokens)}{'' if found.prefix else ' '}"
    looked = columns if word.field is None else (columns[_PLACE[word.field]],)
    return any(phrase in column for column in looked)


def in_labels(labels: Collection[str], names: Mapping[str, str]) -> Callable[[str], bool]:
    """Return what tells whether mail in `labels` is in one, by its name or its identifier.

    `labels` are identifiers, `names` gives their names.
    """

    def found(name: str) -> bool:
        return name in labels or any(same_words(names.get(x, ""), name) for x in labels)

    return found


def reads_content(node: Node) -> bool:
    """Say whether a query looks for words that a digest does not hold."""
    return any(isinstance(x, Text) and x.field in (None, "body") for x, _ in leaves(node))


def reads_lists(node: Node) -> bool:
    """Say whether a query looks into lists that a digest may have cut."""
    return any(isinstance(x, Text) and x.field in (None, *_CUT) for x, _ in leaves(node))
