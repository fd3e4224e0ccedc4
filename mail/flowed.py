"""text/plain; format=flowed (RFC 3676)."""

from __future__ import annotations


def unflow(text: str, delsp: bool = False) -> str:
    """Return the text with flowed lines joined into paragraphs (RFC 3676 section 4).

    Quoted paragraphs keep their depth as ">" marks and a space. `delsp` is the parameter DelSp:
    the space that marks a flowed line is then no part of the text.
    """
    paragraphs: list[str] = []
    pending: list[str] = []
    depth = 0
    for raw in text.split("\n"):
        line = raw.removesuffix("\r")
        content = line.lstrip(">")
        quotes = len(line) - len(content)
        content = content.removeprefix(" ")  # space-stuffing, section 4.4
        signature = content == "-- "
        # Section 4.5: a change of depth ends a paragraph; section 4.3: so does a signature line.
        if pending and (quotes != depth or signature):
            paragraphs.append(_quoted(depth, pending))
            pending = []
        depth = quotes
        flows = content.endswith(" ") and not signature
        pending.append(content[:-1] if flows and delsp else content)
        if not flows:
            paragraphs.append(_quoted(depth, pending))
            pending = []
    if pending:
        paragraphs.append(_quoted(depth, pending))
    return "\n".join(paragraphs)


def _quoted(depth: int, pieces: list[str]) -> str:
    text = "".join(pieces)
    return f"{'>' * depth} {text}" if depth else text
