"""The query language: text in, tree out, and the place of a mistake.

    query  = and *("OR" and)
    and    = not *(["AND"] not)              ; AND binds closer than OR
    not    = ("-" / "NOT") not / "(" query ")" / [name ":"] value / name ":(" query ")"
    value  = word ["*"] / DQUOTE phrase DQUOTE ["*"]      ; \\" and \\\\ inside a phrase

Operators are capital letters, so that "or" is a word. Punctuation that stands alone means nothing,
as in the text that is searched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import NamedTuple, cast

from mail.query.tokens import tokens
from mail.query.tree import (
    FIELDS,
    STATES,
    Aged,
    Dated,
    Field,
    HasAttachment,
    Is,
    Label,
    MessageId,
    Node,
    Not,
    Size,
    Text,
    Unit,
    all_of,
    any_of,
)

MAX_QUERY = 2000
"""Characters of a query."""
MAX_LEAVES = 100
MAX_DEPTH = 40
"""Parentheses and negations inside one another."""


class BadQuery(Exception):
    """A query that can't be understood; `position` is the offset of the mistake, from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"at character {position + 1}: {message}")
        self.position = position
        self.message = message


class _Token(NamedTuple):
    kind: str
    """One of ( ) - AND OR NOT word name end."""
    position: int
    text: str = ""
    prefix: bool = False


_SPACE = re.compile(r"\s*")
_BARE = re.compile(r'[^\s()"]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*):")
_DATE = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})", re.ASCII)
_AGE = re.compile(r"(\d{1,5})([dwmy])", re.ASCII | re.IGNORECASE)
_SIZE = re.compile(r"(\d{1,15})([kmg]?)b?", re.ASCII | re.IGNORECASE)
_FACTOR = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def parse(query: str) -> Node:
    """Return the tree of a query. Raises BadQuery."""
    if len(query) > MAX_QUERY:
        raise BadQuery(MAX_QUERY, f"a query has at most {MAX_QUERY} characters")
    return _Parser(_lex(query)).whole()


def _lex(query: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while True:
        position = cast("re.Match[str]", _SPACE.match(query, position)).end()
        if position == len(query):
            found.append(_Token("end", position))
            return found
        c = query[position]
        if c in "()":
            found.append(_Token(c, position))
            position += 1
        elif c == '"':
            token, position = _quoted(query, position)
            found.append(token)
        else:
            position = _bare(query, position, found)


def _quoted(query: str, position: int) -> tuple[_Token, int]:
    m = _QUOTED.match(query, position)
    if m is None:
        raise BadQuery(position, "this quotation mark has no second one")
    text, end = _ESCAPED.sub(r"\1", m[1]), m.end()
    prefix = query.startswith("*", end)
    return _Token("word", position, text, prefix), end + prefix


def _bare(query: str, position: int, found: list[_Token]) -> int:
    """Take a stretch without spaces, quotes and parentheses apart; return its end."""
    m = cast("re.Match[str]", _BARE.match(query, position))
    end, rest = m.end(), m[0].lstrip("-")
    opened = query[end : end + 1] in ("(", '"')
    if not tokens(rest) and not (opened and rest == ""):
        # `foo - bar`, `a & b`: as in text, it separates and no more.
        return end
    start = end - len(rest)
    found += [_Token("-", p) for p in range(position, start)]
    if rest in ("AND", "OR", "NOT"):
        found.append(_Token(rest, start))
        return end
    name = _NAME.match(rest)
    value = rest if name is None else rest[name.end() :]
    if name is not None:
        if value or opened:
            if value.startswith("//"):
                # An address on the web, not an operator.
                value = rest
            else:
                found.append(_Token("name", start, name[1]))
        elif name[1].lower() in _NAMES:
            raise BadQuery(end, f"{name[1]}: is followed by nothing")
        else:
            # "Re:", "PS:": a word with its colon.
            value = rest
    if value:
        word = value.rstrip("*")
        found.append(_Token("word", end - len(value), word, word != value))
    return end


class _Parser:
    """Recursive descent over the tokens of one query."""

    def __init__(self, found: list[_Token]) -> None:
        self._tokens = found
        self._at = 0
        self._leaves = 0

    def whole(self) -> Node:
        if self._peek().kind == "end":
            raise BadQuery(0, "there is no word to search for")
        node = self._any(None, 0)
        token = self._peek()
        if token.kind != "end":
            raise BadQuery(token.position, "this parenthesis closes nothing")
        return node

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _any(self, field: Field | None, depth: int) -> Node:
        children = [self._all(field, depth)]
        while self._peek().kind == "OR":
            self._at += 1
            children.append(self._all(field, depth))
        return any_of(children)

    def _all(self, field: Field | None, depth: int) -> Node:
        children = [self._one(field, depth)]
        while True:
            kind = self._peek().kind
            if kind == "AND":
                self._at += 1
            elif kind in ("OR", ")", "end"):
                return all_of(children)
            children.append(self._one(field, depth))

    def _one(self, field: Field | None, depth: int) -> Node:
        token = self._next()
        if depth > MAX_DEPTH:
            raise BadQuery(token.position, f"nested deeper than {MAX_DEPTH}")
        match token.kind:
            case "-" | "NOT":
                return Not(self._one(field, depth + 1))
            case "(":
                return self._group(token, field, depth)
            case "name":
                return self._named(token, depth)
            case "word":
                return self._leaf(token, _text(token, field))
            case "end":
                raise BadQuery(token.position, "the query ends where something is expected")
            case ")":
                raise BadQuery(token.position, "nothing stands before this parenthesis")
            case operator:
                raise BadQuery(token.position, f"{operator} has nothing on its left")

    def _group(self, opening: _Token, field: Field | None, depth: int) -> Node:
        if self._peek().kind == ")":
            raise BadQuery(self._peek().position, "there is nothing between these parentheses")
        node = self._any(field, depth + 1)
        if self._next().kind != ")":
            raise BadQuery(opening.position, "this parenthesis is never closed")
        return node

    def _named(self, name: _Token, depth: int) -> Node:
        key = name.text.lower()
        if key not in _NAMES:
            raise BadQuery(
                name.position, f"no operator is called {name.text}:; quote it to search for it"
            )
        token = self._next()
        if token.kind == "(":
            if key not in FIELDS:
                raise BadQuery(token.position, f"{key}: takes one value, without parentheses")
            return self._group(token, key, depth)
        if key in FIELDS:
            return self._leaf(token, _text(token, key))
        if token.prefix:
            raise BadQuery(token.position, f"{key}: takes a whole value, without *")
        return self._leaf(token, _OTHERS[key](token))

    def _leaf(self, token: _Token, leaf: Node) -> Node:
        self._leaves += 1
        if self._leaves > MAX_LEAVES:
            raise BadQuery(token.position, f"a query has at most {MAX_LEAVES} terms")
        return leaf


def _text(token: _Token, field: Field | None) -> Node:
    if not tokens(token.text):
        raise BadQuery(token.position, "there is no word in this to search for")
    return Text(token.text, field, token.prefix)


def _label(token: _Token) -> Node:
    if not token.text.strip():
        raise BadQuery(token.position, "the name of a label is empty")
    return Label(token.text)


def _is(token: _Token) -> Node:
    state = token.text.lower()
    if state not in STATES:
        raise BadQuery(token.position, f"is: takes one of {', '.join(STATES)}")
    return Is(state)


def _has(token: _Token) -> Node:
    if token.text.lower() != "attachment":
        raise BadQuery(token.position, "has: takes attachment")
    return HasAttachment()


def _size(side: str) -> Callable[[_Token], Node]:
    def read(token: _Token) -> Node:
        m = _SIZE.fullmatch(token.text)
        if m is None:
            raise BadQuery(token.position, f"{side}: takes a size such as 10000, 500K, 2M or 1G")
        octets = min(int(m[1]) * _FACTOR[m[2].lower()], (1 << 63) - 1)
        return Size("larger" if side == "larger" else "smaller", octets)

    return read


def _dated(side: str) -> Callable[[_Token], Node]:
    def read(token: _Token) -> Node:
        m = _DATE.fullmatch(token.text)
        try:
            day = None if m is None else date(int(m[1]), int(m[3]), int(m[4]))
        except ValueError:
            day = None
        if day is None:
            raise BadQuery(token.position, f"{side}: takes a day such as 2024/01/31 or 2024-01-31")
        return Dated("after" if side == "after" else "before", day)

    return read


def _aged(side: str) -> Callable[[_Token], Node]:
    def read(token: _Token) -> Node:
        m = _AGE.fullmatch(token.text)
        if m is None:
            raise BadQuery(token.position, f"{side}: takes an age such as 2d, 3w, 1m or 1y")
        unit = cast("Unit", m[2].lower())
        return Aged("older_than" if side == "older_than" else "newer_than", int(m[1]), unit)

    return read


def _message_id(token: _Token) -> Node:
    value = token.text.strip().removeprefix("<").removesuffix(">")
    if not value:
        raise BadQuery(token.position, "the Message-ID is empty")
    return MessageId(value)


_OTHERS: dict[str, Callable[[_Token], Node]] = {
    "label": _label,
    "in": _label,
    "is": _is,
    "has": _has,
    "larger": _size("larger"),
    "smaller": _size("smaller"),
    "after": _dated("after"),
    "before": _dated("before"),
    "older_than": _aged("older_than"),
    "newer_than": _aged("newer_than"),
    "rfc822msgid": _message_id,
}
_NAMES = frozenset((*FIELDS, *_OTHERS))
