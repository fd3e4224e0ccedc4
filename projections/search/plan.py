"""A query tree as SQLite answers it: an FTS5 expression, bounds of rows, and conditions on rows.

What holds for the whole query (a conjunct) and is of words alone becomes part of one FTS5
expression, dates become bounds of rows; anything else is a condition that each row is held
against. So a match is found by walking one list from its newest end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mail.query.document import COLUMNS
from mail.query.tokens import pattern
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
    all_of,
    leaves,
    moment,
)
from projections.mailbox.tables import Value
from projections.search.neighbours import Has, may_match
from projections.search.state import (
    ALL_BIT,
    ATTACHMENT,
    ATTACHMENT_BIT,
    LABEL_BITS,
    SEEN_BIT,
    SPAM_BIT,
    STARRED,
    STARRED_BIT,
    SYSTEM_NUMBERS,
    TRASH_BIT,
    UNREAD,
)
from projections.search.tables import (
    FTS_COLUMNS,
    LAST_ROW,
    first_row,
    mailbox_token,
    message_id_token,
)
from schemas.labels import ALL, SPAM, TRASH

_FTS = dict(zip(COLUMNS, FTS_COLUMNS, strict=True))
_BITS = {SYSTEM_NUMBERS[label]: bit for label, bit in LABEL_BITS.items()}
NEVER, ALWAYS = "0", "1"
_MATCHED = re.compile(r"\{(:\w+)\}")


def within(condition: str, tables: Sequence[str]) -> str:
    """Return a condition with the tables put in that its words are looked for in."""

    def matched(m: re.Match[str]) -> str:
        parts = [
            " union all ".join(
                f"select rowid from {words} where {words} match {m[1]}"
                for words in tables[start : start + _MOST_PARTS]
            )
            for start in range(0, len(tables), _MOST_PARTS)
        ]
        return " or ".join(f"d.row in ({part})" for part in parts) or NEVER

    return _MATCHED.sub(lambda m: f"({matched(m)})", condition)


_MOST_PARTS = 400
"""SQLite takes 500 parts of a compound select."""


@dataclass(slots=True)
class Plan:
    """How to find the rows `d` of `doc` that a query means."""

    match: str | None = None
    """FTS5 expression, the mailbox included; None when no word is asked for as a whole."""
    alone: str | None = None
    """The same for documents that are all of this mailbox."""
    low: int = -LAST_ROW
    high: int = LAST_ROW
    sets: list[int] = field(default_factory=list[int])
    """Sets that every match is in: each may be walked in place of the documents."""
    may_match: Callable[[Has], bool] = lambda _: True
    """Says of a shard whether `match` may find anything in it."""
    conditions: list[str] = field(default_factory=list[str])
    """SQL over `d`; {:name} stands for being among what an FTS5 expression matches."""
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    """What the names in the conditions stand for."""

    @property
    def of_words(self) -> bool:
        """Whether the answer depends on the tables of words."""
        return self.match is not None or any("{" in c for c in self.conditions)


class Planner:
    """Plans for one mailbox as it is now."""

    def __init__(self, mailbox: int, find_labels: Callable[[str], Sequence[int]], now: int) -> None:
        """`find_labels` gives the numbers of the labels that a name means; `now` is in micros."""
        self._mailbox = mailbox
        self._find = find_labels
        self._now = now
        self._values: dict[str, Value] = {}

    def _name(self, value: Value) -> str:
        name = f"v{len(self._values)}"
        self._values[name] = value
        return f":{name}"

    def plan(
        self, node: Node, labels: Sequence[int | None] = (), *, include_spam: bool = False
    ) -> Plan:
        """Return the plan for a query within labels, None among them for one that is not there."""
        self._values = {}
        plan = Plan(values=self._values)
        words: list[Node] = []
        for child in node.children if isinstance(node, And) else (node,):
            if _of_words(child):
                words.append(child)
                continue
            self._bound(plan, child)
            plan.conditions.append(self._condition(child))
        if words:
            plan.match = self._expression(words)
            plan.alone = self._all(words)
            plan.may_match = may_match(all_of(words))
        for number in labels:
            plan.conditions.append(NEVER if number is None else self._in([number]))
            if number is not None and number not in _BITS:
                plan.sets.append(number)
        if not labels and not include_spam:
            mask = self._mask(node)
            if mask is not None:
                plan.conditions.append(f"d.bits & {mask}")
        return plan

    def _bound(self, plan: Plan, node: Node) -> None:
        """Take from a conjunct what narrows the walk."""
        match node:
            case Dated("after", _) | Aged("newer_than", _, _):
                plan.low = max(plan.low, first_row(moment(node, self._now)))
            case Dated("before", _) | Aged("older_than", _, _):
                # A millisecond that was full goes on in the next ones; the date itself decides.
                plan.high = min(plan.high, first_row(moment(node, self._now) + 1_000_000))
            case Is("unread"):
                plan.sets.append(UNREAD)
            case Is("starred"):
                plan.sets.append(STARRED)
            case HasAttachment():
                plan.sets.append(ATTACHMENT)
            case Label(name):
                found = self._find(name)
                if len(found) == 1 and found[0] != SYSTEM_NUMBERS[ALL]:
                    plan.sets.append(found[0])
            case _:
                pass

    def _mask(self, node: Node) -> int | None:
        """Return the bits one of which a message has that is not left out; None for all."""
        mask = ALL_BIT
        for leaf, wanted in leaves(node):
            if not wanted or not isinstance(leaf, Label):
                continue
            if leaf.name.lower() == ANYWHERE:
                return None
            found = self._find(leaf.name)
            for label, bit in ((SPAM, SPAM_BIT), (TRASH, TRASH_BIT)):
                if SYSTEM_NUMBERS[label] in found:
                    mask |= bit
        return mask

    def _in(self, numbers: Sequence[int]) -> str:
        bits = sum(_BITS.get(n, 0) for n in numbers)
        others = [str(n) for n in numbers if n not in _BITS]
        parts: list[str] = [f"d.bits & {bits} <> 0"] if bits else []
        if others:
            parts.append(
                "exists (select 1 from placed q where q.mailbox = d.mailbox"
                f" and q.label in ({', '.join(others)}) and q.row = d.row)"
            )
        return f"({' or '.join(parts)})" if parts else NEVER

    def _condition(self, node: Node) -> str:
        match node:
            case Text() | MessageId():
                return self._matched([node])
            case Label(name):
                return ALWAYS if name.lower() == ANYWHERE else self._in(self._find(name))
            case Is("unread"):
                return f"d.bits & {SEEN_BIT} = 0"
            case Is(state):
                return f"d.bits & {SEEN_BIT if state == 'read' else STARRED_BIT} <> 0"
            case HasAttachment():
                return f"d.bits & {ATTACHMENT_BIT} <> 0"
            case Size(side, octets):
                return f"d.size {'>' if side == 'larger' else '<'} {self._name(octets)}"
            case Dated(side, _):
                comparison = ">=" if side == "after" else "<"
                return f"d.internal_date {comparison} {self._name(moment(node, self._now))}"
            case Aged(side, _, _):
                comparison = "<" if side == "older_than" else ">="
                return f"d.internal_date {comparison} {self._name(moment(node, self._now))}"
            case Not(child):
                return f"not ({self._condition(child)})"
            case And(children):
                return self._joined(" and ", children)
            case Or(children):
                return self._joined(" or ", children)

    def _joined(self, operator: str, children: Sequence[Node]) -> str:
        words = [c for c in children if _of_words(c)]
        parts = [self._condition(c) for c in children if not _of_words(c)]
        if words:
            # One look into the index for all of them.
            parts.append(self._matched(words if operator == " and " else [Or(tuple(words))]))
        return operator.join(f"({text})" for text in parts)

    def _matched(self, nodes: Sequence[Node]) -> str:
        return f"{{{self._name(self._expression(nodes))}}}"

    def _expression(self, nodes: Sequence[Node]) -> str:
        """Return the FTS5 expression of a conjunction within the mailbox."""
        return self._all(nodes, [self._everything()])

    def _all(self, nodes: Sequence[Node], wanted: Sequence[str] = ()) -> str:
        """Return a conjunction; FTS5 has no "not that", only "this and not that"."""
        every = [*wanted, *(self._words(n) for n in nodes if not isinstance(n, Not))]
        text = " AND ".join(every or [self._everything()])
        for node in nodes:
            if isinstance(node, Not):
                text = f"({text}) NOT {self._words(node.child)}"
        return f"({text})"

    def _everything(self) -> str:
        return f'meta : "{mailbox_token(self._mailbox)}"'

    def _words(self, node: Node) -> str:
        match node:
            case Text(text, name, prefix):
                found = pattern(text, prefix)
                phrase = f'"{" ".join(found.tokens)}"{" *" if found.prefix else ""}'
                return phrase if name is None else f"{_FTS[name]} : {phrase}"
            case MessageId(value):
                return f'meta : "{message_id_token(value)}"'
            case Not():
                return self._all([node])
            case And(children):
                return self._all(children)
            case Or(children):
                return f"({' OR '.join(map(self._words, children))})"
            case _:
                raise TypeError(f"{type(node).__name__} is not of words")


def _of_words(node: Node) -> bool:
    return all(isinstance(leaf, Text | MessageId) for leaf, _ in leaves(node))
