"""The payload of an Authentication-Results field, read (RFC 8601 section 2.2).

The same payload stands in an ARC-Authentication-Results field (RFC 8617 section 4.1.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r'[ \t\r\n]+|"(?:[^"\\]|\\.)*"|[;=/]|[^\s;="()/]+|.', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
# RFC 8601 section 2.2: method and result are a Keyword (RFC 5321 section 4.1.2, Ldh-str).
_KEYWORD = re.compile(r"[a-z0-9-]*[a-z0-9]\Z")
_MAX_TOKENS = 4000


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One resinfo: what a method found."""

    method: str
    result: str
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    """("ptype.property", value) in order."""


@dataclass(frozen=True, slots=True)
class AuthResults:
    """The payload of one field."""

    authserv_id: str
    version: str = "1"
    results: tuple[MethodResult, ...] = field(default=())

    def result_of(self, method: str) -> str:
        """Return the first result of `method`, or an empty string."""
        return next((found.result for found in self.results if found.method == method), "")


class ResultsError(ValueError):
    """The text is not the payload of an Authentication-Results field."""


def parse_results(text: str) -> AuthResults:
    """Parse a payload. Raises ResultsError."""
    segments = _segments(text)
    head = segments[0]
    # An empty string is in every string: a quoted id that is empty is refused here too.
    if not head or head[0] in "=/":
        raise ResultsError("there is no authserv-id")
    version = head[1] if len(head) > 1 else "1"
    if len(head) > 2 or not version.isascii() or not version.isdigit():
        raise ResultsError("the version is no number")
    results: list[MethodResult] = []
    for segment in segments[1:]:
        if not segment or (len(segment) == 1 and segment[0].lower() == "none"):
            continue
        results.append(_method(segment))
    return AuthResults(head[0], version, tuple(results))


def _segments(text: str) -> list[list[str]]:
    """Split at semicolons into words and the signs "=" and "/"; comments and spaces go."""
    segments: list[list[str]] = [[]]
    at, depth, count = 0, 0, 0
    while at < len(text):
        if depth:
            at, depth = _comment(text, at, depth)
            continue
        token = _TOKEN.match(text, at)
        assert token is not None  # the last alternative matches any character
        at = token.end()
        word = token[0]
        if word == "(":
            depth = 1
        elif word == ";":
            segments.append([])
        elif word[0] == '"':
            if len(word) < 2:
                raise ResultsError("a quoted string is not closed")
            segments[-1].append(_QUOTED_PAIR.sub(r"\1", word[1:-1]))
        elif word == ")":
            raise ResultsError("a parenthesis is not opened")
        elif not word.isspace():
            segments[-1].append(word)
        count += 1
        if count > _MAX_TOKENS:
            raise ResultsError("it is too long")
    if depth:
        raise ResultsError("a comment is not closed")
    return segments


_IN_COMMENT = re.compile(r"(?:[^()\\]|\\.)*", re.DOTALL)


def _comment(text: str, at: int, depth: int) -> tuple[int, int]:
    inside = _IN_COMMENT.match(text, at)
    at = inside.end() if inside else at
    if at >= len(text):
        raise ResultsError("a comment is not closed")
    if text[at] == "(":
        return at + 1, depth + 1
    return at + 1, depth - 1 if text[at] == ")" else depth


def _method(words: list[str]) -> MethodResult:
    at = 1
    if words[at : at + 1] == ["/"]:
        at += 2  # the method's version
    if words[at : at + 1] != ["="] or len(words) < at + 2:
        raise ResultsError("a method has no result")
    method, result = words[0].lower(), words[at + 1].lower()
    if _KEYWORD.match(method) is None or _KEYWORD.match(result) is None:
        raise ResultsError("a method or its result is no keyword")
    reason = ""
    properties: list[tuple[str, str]] = []
    name: list[str] = []
    at += 2
    while at < len(words):
        if words[at] != "=":
            name.append(words[at])
            at += 1
            continue
        value: list[str] = []
        at += 1
        # A pvalue may itself hold "=" and "/" (an SRS address, a selector): it runs up to the
        # last word before the next "=".
        while at < len(words):
            following = words[at + 1] if at + 1 < len(words) else ""
            if value and following == "=" and words[at] not in "=/" and value[-1] not in "=/":
                break
            value.append(words[at])
            at += 1
            if following not in ("=", "/") and words[at - 1] not in "=/":
                break
        key = "".join(name).lower()
        if key == "reason":
            reason = "".join(value)
        elif key:
            properties.append((key, "".join(value)))
        name = []
    return MethodResult(method, result, reason, tuple(properties))
