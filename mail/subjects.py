"""Base subjects (RFC 5256 section 2.1), with the reply and forward marks of other languages."""

from __future__ import annotations

import re

# RFC 5256 knows "re", "fw" and "fwd". The others are what localised mail programs write: German,
# Dutch, Scandinavian, Finnish, Polish, Czech, Portuguese, Spanish, French, Italian, Turkish,
# Hungarian, Chinese.
_MARKS = (
    "re|fwd?|aw|wg|antw(?:oord)?|betr|doorst|sv|vs|vb|vl|odp|pd|res|enc|rv|rif|tr|ynt|ilt|vá|továbbítás"
    "|回复|回覆|答复|答覆|转发|轉寄|轉發"
)
_BLOB = r"\[[^\[\]]*+\][ ]*+"
# Step 3: subj-leader. "Re[2]:" is a mark with a blob, "Re^2:" and "Re(2):" are seen as well.
_LEADER = re.compile(
    rf"(?:{_BLOB})*+(?:{_MARKS})[ ]*+(?:{_BLOB}|\^\d{{1,3}}|\(\d{{1,3}}\))?[ ]*+[:：][ ]*+",
    re.IGNORECASE,
)
_PREFIX = re.compile(_BLOB)
_TRAILER = re.compile(r"\)dwf\([ ]*+", re.IGNORECASE)
_WRAPPER = re.compile(r"\[fwd:[ ]*+", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")
MAX_SUBJECT = 2_000
"""Characters of a subject that count; what follows is cut off."""


def base_subject(subject: str) -> tuple[str, bool]:
    """Return the subject without reply and forward marks, and whether there were any.

    Case is kept; RFC 5256 compares base subjects without regard to it. Never raises.
    """
    text = _BLANKS.sub(" ", subject[:MAX_SUBJECT]).strip()
    marked = False
    while True:
        # Step 2: trailers, read backwards.
        backwards = text[::-1]
        end = 0
        while m := _TRAILER.match(backwards, end):
            end, marked = m.end(), True
        text = text[: len(text) - end].rstrip()
        start, found = _leaders(text)
        marked |= found
        text = text[start:]
        # Step 6: "[fwd: ... ]" is undone, and all is done again on what is inside.
        m = _WRAPPER.match(text)
        if m is None or not text.endswith("]"):
            return text, marked
        text, marked = text[m.end() : -1].strip(), True


def _leaders(text: str) -> tuple[int, bool]:
    """Return where the base subject starts (steps 3 to 5) and whether there was a mark."""
    start, marked = 0, False
    while True:
        m = _LEADER.match(text, start)
        if m is not None:
            start, marked = m.end(), True
            continue
        m = _PREFIX.match(text, start)
        if m is None or m.end() == len(text):  # step 4: unless that would leave nothing
            return start, marked
        start = m.end()
