"""Tokens of structured address fields (RFC 5322 section 3.2), comments set apart."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Defect = Literal[
    "unterminated quoted string",
    "unterminated comment",
    "unterminated domain literal",
    "unbalanced parenthesis",
    "control character",
    "malformed address",
    "malformed group",
    "unterminated group",
    "address without domain",
    "address as display name",
    "too long",
]


# RFC 5322 section 3.2.3 with the non-ASCII characters of RFC 6532 section 3.2. Lone surrogates
# stand for octets that are not UTF-8; they are let into tokens, and not into addresses.
ATEXT = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\xa0-\ud7ff\ue000-\U0010ffff]"
_TOKEN = re.compile(
    rf"(?P<space>(?:[ \t]|\r?\n[ \t])++)"
    rf"|(?P<atom>(?:{ATEXT}|[\ud800-\udfff])++)"
    r'|"(?P<quoted>(?:[^"\\\x00\r\n]|\\[^\x00\r\n]|\r?\n[ \t])*+)"'
    r"|\[(?P<literal>[^\[\]\\\x00-\x1f\x7f]*+)\]"
    r"|(?P<special>[.@,:;<>])"
)
_IN_COMMENT = re.compile(r"(?:[^()\\\x00]|\\[^\x00])++")
_FOLD = re.compile(r"\r?\n")
_UNQUOTE = re.compile(r"\\(.)")


class Token(NamedTuple):
    """A word, a domain literal (without its brackets) or one special character."""

    kind: Literal["atom", "quoted", "literal", "special"]
    text: str
    spaced: bool
    """White space or a comment stands before the token."""


class _Broken(Exception):
    """The tokens after this point have no certain meaning."""

    def __init__(self, defect: Defect) -> None:
        super().__init__(defect)
        self.defect: Defect = defect


def is_special(tokens: list[Token], pos: int, special: str) -> bool:
    """Whether the token at `pos` is this special character; no token is none."""
    return pos < len(tokens) and tokens[pos].kind == "special" and tokens[pos].text == special


def one_of(tokens: list[Token], pos: int, specials: str) -> bool:
    """Whether the token at `pos` is one of these special characters."""
    return pos < len(tokens) and tokens[pos].kind == "special" and tokens[pos].text in specials


def tokenize(text: str) -> tuple[list[Token], dict[int, str], Defect | None]:
    """Return tokens, the comment after each token index, and the defect at which reading ended."""
    tokens: list[Token] = []
    comments: dict[int, str] = {}
    pos, spaced = 0, False
    text = text.rstrip("\r\n \t")
    try:
        while pos < len(text):
            m = _TOKEN.match(text, pos)
            if m is None:
                if text[pos] != "(":
                    raise _Broken(_lexical_defect(text, pos))
                pos, comment = _comment(text, pos)
                comments[len(tokens) - 1] = comment
                spaced = True
                continue
            pos = m.end()
            match m.lastgroup:
                case "space":
                    spaced = True
                    continue
                case "quoted":
                    content = _UNQUOTE.sub(r"\1", _FOLD.sub("", m["quoted"]))
                    tokens.append(Token("quoted", content, spaced))
                case "atom":
                    tokens.append(Token("atom", m[0], spaced))
                case "literal":
                    tokens.append(Token("literal", m["literal"], spaced))
                case _:
                    tokens.append(Token("special", m[0], spaced))
            spaced = False
    except _Broken as broken:
        # The element in which reading broke off is not whole: forget it back to its comma.
        while tokens and not is_special(tokens, len(tokens) - 1, ","):
            tokens.pop()
        return tokens, comments, broken.defect
    return tokens, comments, None


def _lexical_defect(text: str, pos: int) -> Defect:
    match text[pos]:
        case '"':
            return "unterminated quoted string"
        case "[":
            return "unterminated domain literal"
        case ")":
            return "unbalanced parenthesis"
        case "]" | "\\":
            return "malformed address"
        case _:
            return "control character"


def _comment(text: str, pos: int) -> tuple[int, str]:
    """Return the end and the content of the comment at `pos`; comments nest."""
    depth, start = 0, pos
    while pos < len(text):
        c = text[pos]
        if c == "(":
            depth += 1
            pos += 1
        elif c == ")":
            depth -= 1
            pos += 1
            if depth == 0:
                content = _FOLD.sub("", text[start + 1 : pos - 1])
                return pos, _UNQUOTE.sub(r"\1", content).strip(" \t")
        else:
            m = _IN_COMMENT.match(text, pos)
            if m is None:
                break
            pos = m.end()
    raise _Broken("unterminated comment")
