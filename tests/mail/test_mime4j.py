"""Trees and decoded parts agree with mime4j's, but for what is listed here with its reason."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from mail.parts import Part, parse
from tests.corpora import corpus_files

_BASE64_MESSAGE = (
    "RFC 2046 section 5.2.1 permits no encoding of a message/rfc822 but 7bit, 8bit and binary; "
    "the part stays one leaf, since what is behind the encoding has no offsets in the message"
)
_PARTIAL_QUANTUM = (
    "the part ends within a base64 quantum: its first two or three characters hold whole octets "
    "(RFC 2045 section 6.8), mime4j drops them"
)
_STARTS_BODY = (
    "mime4j in a mode in which the first malformed line ends the header; in its other mode, for "
    "the same octets, it agrees (malformedHeader-nocrlfcrlf)"
)
_NO_HEADER = (
    "the message says of itself that the whole text is its body, mime4j loses one line or all"
)
# File -> (what differs, why).
EXCEPTIONS: dict[str, tuple[set[str], str]] = {
    "multi-2gifs-base64": ({"tree"}, _BASE64_MESSAGE),
    "bad-newlines-multiple-parts-base64": ({"tree"}, _BASE64_MESSAGE),
    "base64encoded-rfc822message": ({"tree"}, _BASE64_MESSAGE),
    "base64encoded-rfc822message-nested": ({"tree"}, _BASE64_MESSAGE),
    "frag": ({"content"}, _PARTIAL_QUANTUM),
    "multi-frag": ({"content"}, _PARTIAL_QUANTUM),
    "malformedHeaderStartsBody-nocrlfcrlf": ({"fields", "content"}, _STARTS_BODY),
    "malformedHeaderStartsBody-noheader": ({"content"}, _NO_HEADER),
    "malformedHeader-noheader": ({"content"}, _NO_HEADER),
}


def test_every_tree_and_part_is_that_of_mime4j_or_a_listed_exception() -> None:
    differences: dict[str, set[str]] = {}
    for path in corpus_files("mime", "mime4j", pattern="*.msg"):
        raw = path.read_bytes()
        expected = ET.parse(path.with_name(f"{path.stem}_decoded.xml")).getroot()
        found = set(_compare(expected, parse(raw), raw, path.parent))
        if found:
            differences[path.stem] = found
    assert differences == {name: what for name, (what, _) in EXCEPTIONS.items()}


def _compare(node: ET.Element, part: Part, raw: bytes, folder: Path) -> Iterator[str]:
    if len(node.findall("header/field")) != len(part.fields):
        yield "fields"
    (body,) = (child for child in node if child.tag != "header")
    if body.tag == "multipart":
        nodes = body.findall("body-part")
        if not part.content_type.startswith("multipart/") or len(nodes) != len(part.children):
            yield "tree"
            return
        for child, child_part in zip(nodes, part.children, strict=True):
            yield from _compare(child, child_part, raw, folder)
    elif body.tag == "message":
        if part.content_type != "message/rfc822" or len(part.children) != 1:
            yield "tree"
            return
        yield from _compare(body, part.children[0], raw, folder)
    elif part.children:
        yield "tree"
    else:
        expected = (folder / body.attrib["name"]).read_bytes()
        # RFC 2045 section 6.7 rule 4: a line break of quoted-printable text is CRLF whatever the
        # transport's is; mime4j writes it so, here it stays as it was sent.
        text = part.encoding == "quoted-printable"
        if _lines(expected, text) != _lines(part.decoded(raw), text):
            yield "content"


def _lines(data: bytes, text: bool) -> bytes:
    return data.replace(b"\r\n", b"\n") if text else data
