"""Readable text of HTML mail, in bounded time and memory whatever the markup.

The tree builder of HTML takes time quadratic in nesting depth and in the attributes of a tag, so
a document is given to it only within bounds in which that does not matter. A larger one goes
through a tokenizer that is linear and knows no tree. Well-formed mail reads the same either way.
"""

from __future__ import annotations

import html
import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_HTML = 2 * 1024 * 1024
"""Characters of a document that are read; what follows is not."""
_MAX_TREE = 64 * 1024
_MAX_TAGS = 3_000
_MAX_SEPARATORS = 8_000

_SKIPPED_NAMES = "head title style script template noscript iframe svg math select"
_RAW_NAMES = "title style script noscript iframe xmp noembed noframes textarea"
_BLOCK_NAMES = (
    "address article aside body center dd details div dl dt fieldset figcaption figure footer "
    "form header html legend li main nav section tbody tfoot thead tr"
)
_PARAGRAPH_NAMES = "blockquote h1 h2 h3 h4 h5 h6 hr ol p pre table ul"
_SKIPPED = frozenset(_SKIPPED_NAMES.split())
_RAW = frozenset(_RAW_NAMES.split())
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_PARAGRAPHS = frozenset(_PARAGRAPH_NAMES.split())
_CELLS = frozenset(("td", "th"))

# How blocks are marked until all text is there; in text these two are white space.
_BLOCK, _PARAGRAPH = "\x01", "\x02"
_WHITE = re.compile(r"[ \t\n\r\f\u00a0\x01\x02]+")
_SPACES = re.compile(r"[ \t\r\f\u00a0]{2,}|[\t\r\f\u00a0]")
_BREAK = re.compile(r" ?[\n\x01\x02][ \n\x01\x02]*+")
_MARKS = str.maketrans(_BLOCK + _PARAGRAPH, "  ")
_NAME = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)")
# The rest of a tag: a quote counts only where a value may begin (HTML standard 13.2.5.37).
_ATTRIBUTES = re.compile(
    r"(?:[^\"'>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)?+|[\"'])*+>?"
)
_RAW_END = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _RAW}


def html_text(document: str) -> str:
    """Return the text that a reader of this HTML sees, block by block. Never raises."""
    document = document[:MAX_HTML]
    out = _Text()
    if _within_bounds(document):
        _by_tree(document, out)
    else:
        _by_tokens(document, out)
    return out.result()


def _within_bounds(document: str) -> bool:
    if len(document) > _MAX_TREE or document.count("<") > _MAX_TAGS:
        return False
    separators = len(document.split()) + document.count("/") + document.count('"') // 2
    return separators + document.count("'") // 2 <= _MAX_SEPARATORS


class _Text:
    """Text as it is collected: white space folded, blocks on lines of their own."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._preformatted = 0

    def text(self, data: str) -> None:
        if self._preformatted:
            self._pieces.append(data.translate(_MARKS))
        else:
            self._pieces.append(_WHITE.sub(" ", data))

    def open(self, tag: str) -> None:
        if tag == "pre":
            self._preformatted += 1
        self._edge(tag)

    def close(self, tag: str) -> None:
        if tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        if tag != "br":
            self._edge(tag)

    def _edge(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._pieces.append(_BLOCK)
        elif tag in _PARAGRAPHS:
            self._pieces.append(_PARAGRAPH)
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in _CELLS:
            self._pieces.append(" ")

    def result(self) -> str:
        return _BREAK.sub(_lines, _SPACES.sub(" ", "".join(self._pieces))).strip()


def _lines(between: re.Match[str]) -> str:
    """Return the line ends for one run of breaks: the widest counts, two at the most."""
    run = between[0]
    return "\n\n" if _PARAGRAPH in run or run.count("\n") > 1 else "\n"


def _by_tree(document: str, out: _Text) -> None:
    parsed = LexborHTMLParser(document)
    node: LexborNode | None = parsed.root
    top = -1 if node is None else node.mem_id  # nodes themselves compare by their markup
    while node is not None:
        tag = node.tag or ""
        if node.is_text_node:
            out.text(node.text_content or "")
        elif tag not in _SKIPPED and node.is_element_node:
            out.open(tag)
            child = node.first_child
            if child is not None:
                node = child
                continue
            out.close(tag)
        # Up until there is a next sibling; no recursion, as the depth is the sender's choice.
        following = node.next
        while following is None:
            node = node.parent
            if node is None or node.tag is None or node.mem_id == top:
                return
            out.close(node.tag)
            following = node.next
        node = following


def _by_tokens(document: str, out: _Text) -> None:
    pos, size = 0, len(document)
    skipping, depth = "", 0
    while pos < size:
        at = document.find("<", pos)
        at = size if at < 0 else at
        if at > pos and not skipping:
            out.text(html.unescape(document[pos:at]))
        if at == size:
            return
        m = _NAME.match(document, at)
        if m is None:
            pos = _declaration(document, at)
            if pos == at + 1 and not skipping:
                out.text("<")
            continue
        ends, tag = bool(m[1]), m[2].lower()
        rest = _ATTRIBUTES.match(document, m.end())
        pos = m.end() if rest is None else rest.end()
        if skipping:
            depth += (-1 if ends else 1) if tag == skipping else 0
            if depth == 0:
                skipping = ""
        elif ends:
            out.close(tag)
        elif tag in _RAW:
            end = _RAW_END[tag].search(document, pos)
            stop = size if end is None else end.start()
            if tag not in _SKIPPED:
                out.text(html.unescape(document[pos:stop]))
            pos = stop
        elif tag in _SKIPPED and tag != "head":
            skipping, depth = tag, 1
        else:
            out.open(tag)


def _declaration(document: str, at: int) -> int:
    """Return the end of the comment or declaration at `at`; of a mere "<", the next position."""
    if document.startswith("<!--", at):
        if document.startswith((">", "->"), at + 4):
            return document.index(">", at) + 1
        end = document.find("-->", at + 4)
        return len(document) if end < 0 else end + 3
    if document.startswith(("<!", "<?", "</"), at):
        end = document.find(">", at)
        return len(document) if end < 0 else end + 1
    return at + 1
