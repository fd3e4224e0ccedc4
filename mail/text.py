"""What a reader sees of a message: text, HTML, snippet, attachments (RFC 8621 section 4.1.4)."""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from mail.charsets import decode
from mail.flowed import unflow
from mail.html import html_text
from mail.parts import Part

SNIPPET_CHARACTERS = 200

_MEDIA = ("image/", "audio/", "video/")
_META_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
# Characters without width, which advertisements put after the first line to fill a preview.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+"
)
_ATTRIBUTION = re.compile(
    r"(wrote|writes|schrieb|schreef|skrev|a écrit|escribió|escreveu|ha scritto|napsal|пишет)"
    r"\s*:?\s*\Z",
    re.IGNORECASE,
)
_LINE = re.compile(r"[^\n]+")
_PATH = re.compile(r"[/\\]")
_MAX_FILENAME = 255


class Attachment(NamedTuple):
    """A part that is offered as a file."""

    section: str
    """IMAP part number, unique in the message."""
    filename: str
    """Last component of the name that was sent, without controls; empty when there is none."""
    mime_type: str
    size: int
    """Octets of the content, transfer encoding undone."""
    inline: bool
    """Whether the message shows it in its text rather than beside it."""


class Bodies(NamedTuple):
    """The leaves of a message by what a reader does with them."""

    text: tuple[Part, ...]
    """What to show where plain text is preferred."""
    html: tuple[Part, ...]
    """What to show where HTML is preferred."""
    attachments: tuple[Part, ...]


def bodies(tree: Part) -> Bodies:
    """Sort the leaves as RFC 8621 section 4.1.4 says; a message inside is an attachment."""
    text: list[Part] = []
    formatted: list[Part] = []
    attachments: list[Part] = []
    _sort([tree], "mixed", False, formatted, text, attachments)
    return Bodies(tuple(text), tuple(formatted), tuple(attachments))


def _sort(
    parts: list[Part] | tuple[Part, ...],
    multipart: str,
    in_alternative: bool,
    formatted: list[Part] | None,
    text: list[Part] | None,
    attachments: list[Part],
) -> None:
    """One level of the algorithm of the RFC; it is as deep as the tree, which is bounded."""
    texts = -1 if text is None else len(text)
    htmls = -1 if formatted is None else len(formatted)
    for index, part in enumerate(parts):
        kind = part.content_type
        if kind.startswith("multipart/") and (part.children or not part.defects):
            sub = kind[10:]
            alternative = in_alternative or sub == "alternative"
            _sort(part.children, sub, alternative, formatted, text, attachments)
            continue
        readable = kind in ("text/plain", "text/html")
        media = kind.startswith(_MEDIA)
        inline = (
            part.disposition != "attachment"
            and (readable or media)
            and (index == 0 or (multipart != "related" and (media or not part.filename)))
        )
        if not inline:
            attachments.append(part)
            continue
        if multipart == "alternative":
            if kind == "text/plain":
                if text is not None:
                    text.append(part)
            elif kind == "text/html":
                if formatted is not None:
                    formatted.append(part)
            else:
                attachments.append(part)
            continue
        if in_alternative:
            if kind == "text/plain":
                formatted = None
            elif kind == "text/html":
                text = None
        if text is not None:
            text.append(part)
        if formatted is not None:
            formatted.append(part)
        if media and (text is None or formatted is None):
            attachments.append(part)
    if multipart == "alternative" and text is not None and formatted is not None:
        # Only one of the two was offered: it is what the other kind of reader shows too.
        if texts == len(text) and htmls != len(formatted):
            text += formatted[htmls:]
        elif htmls == len(formatted) and texts != len(text):
            formatted += text[texts:]


def part_text(raw: bytes, part: Part) -> str:
    """Return the text of a text/* part in its charset, line ends as LF, flowed lines joined."""
    data = part.decoded(raw)
    charset = part.charset or ""
    if part.content_type == "text/html" and not charset:
        meta = _META_CHARSET.search(data, 0, 2048)
        charset = "" if meta is None else meta[1].decode("ascii")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = decode(data, charset)
    else:
        text = decode(data, charset)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if part.content_type == "text/plain" and part.params.get("format", "").lower() == "flowed":
        return unflow(text, part.params.get("delsp", "").lower() == "yes")
    return text


def body_text(raw: bytes, tree: Part) -> str:
    """Return the text of a message: plain text where there is some, else that of the HTML.

    Never raises; markup of any size and shape takes bounded time (see `mail.html`).
    """
    return text_of(raw, bodies(tree))


def text_of(raw: bytes, sorted_: Bodies) -> str:
    """Do what `body_text` does with leaves that are sorted already."""
    text = _joined(raw, sorted_.text)
    # An empty plain alternative is common; what the sender wrote is in the other one.
    return text if text.strip() else _joined(raw, sorted_.html)


def _joined(raw: bytes, parts: tuple[Part, ...]) -> str:
    texts: list[str] = []
    for part in parts:
        if part.content_type == "text/plain":
            texts.append(part_text(raw, part))
        elif part.content_type == "text/html":
            texts.append(html_text(part_text(raw, part)))
    return "\n".join(texts)


def body_html(raw: bytes, tree: Part) -> str | None:
    """Return the HTML of a message as the sender wrote it, None when there is none.

    Plain parts beside it, such as the footer of a mailing list, are put in as preformatted text.
    Whoever shows it sanitises it.
    """
    parts = bodies(tree).html
    if not any(part.content_type == "text/html" for part in parts):
        return None
    pieces: list[str] = []
    for part in parts:
        if part.content_type == "text/html":
            pieces.append(part_text(raw, part))
        elif part.content_type == "text/plain":
            pieces.append(f"<pre>{html.escape(part_text(raw, part), quote=False)}</pre>")
    return "\n".join(pieces)


def snippet(text: str) -> str:
    """Return the first 200 characters, white space folded.

    Quoted lines, the line that introduces them and the signature are left out where there is
    other text.
    """
    head = text[: 64 * SNIPPET_CHARACTERS]
    own: list[str] = []
    enough = 8 * SNIPPET_CHARACTERS  # white space and characters without width are yet to go
    for m in _LINE.finditer(head):
        line = m[0].strip()
        if line.startswith(">"):
            if own and _ATTRIBUTION.search(own[-1][-60:]):
                enough += len(own.pop())
        elif enough < 0 or (line == "--" and m[0].startswith("-- ")):
            break
        else:
            own.append(line)
            enough -= len(line)
    return _folded(" ".join(own)) or _folded(head)


def _folded(text: str) -> str:
    text = text.replace("\x00", " ")
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
    # A word and the blank behind it are two characters: so many words are enough.
    visible = " ".join(text.split(None, SNIPPET_CHARACTERS)[:SNIPPET_CHARACTERS])
    return visible[:SNIPPET_CHARACTERS].rstrip()


def attachments(raw: bytes, tree: Part) -> tuple[Attachment, ...]:
    """Return the parts that a reader offers as files, in order."""
    return attachments_of(raw, bodies(tree))


def attachments_of(raw: bytes, sorted_: Bodies) -> tuple[Attachment, ...]:
    """Do what `attachments` does with leaves that are sorted already."""
    listed = {part.section: part for part in sorted_.attachments}
    # An image in the flow of the text is a file too.
    for part in (*sorted_.text, *sorted_.html):
        if not part.content_type.startswith("text/"):
            listed.setdefault(part.section, part)
    return tuple(
        Attachment(
            part.section,
            safe_filename(part.filename or ""),
            part.content_type,
            len(part.decoded(raw)) if not part.children else part.end - part.body_start,
            part.disposition != "attachment"
            and part.content_type.startswith(_MEDIA)
            and (part.content_id is not None or part.disposition == "inline"),
        )
        for part in sorted(listed.values(), key=lambda part: part.header_start)
    )


def safe_filename(name: str) -> str:
    """Return the last component of a file name, without what changes how it is read.

    RFC 2183 section 2.3: directory information is not used. Invisible and direction-changing
    characters can make `gpj.exe` look like `exe.jpg`.
    """
    last = _PATH.split(name)[-1]
    return _INVISIBLE.sub("", last).strip().lstrip(".")[:_MAX_FILENAME]
