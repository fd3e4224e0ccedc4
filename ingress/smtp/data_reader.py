"""Find the end of a message in DATA and undo the dot-stuffing (RFC 5321 section 4.5.2).

Pure: chunks go in as they come, in whatever cuts. Only <CRLF>.<CRLF> ends a message. Servers that
take <LF>.<LF> and its kin for an end can be made to see one message where another server sees
two (SMTP smuggling); so a message with a bare CR or LF is refused whole, after its true end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Fault = Literal["too-large", "bare-line-end", "nul", "no-memory"]
"""Why a message is not taken, in the order in which it is looked for."""

_END = b"\r\n.\r\n"
_STUFFED = b"\r\n."


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message, each line ended by CRLF, dot-stuffing undone."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that came to its end and is not taken."""

    fault: Fault


def _always(octets: int) -> bool:
    return True


class DataReader:
    """Reads one message of at most `limit` octets.

    `hold` is told how many octets are about to be held in memory, in all; when it says no, the
    rest of the message is read and thrown away, as it is once the message is too large.
    """

    def __init__(self, limit: int, hold: Callable[[int], bool] = _always) -> None:
        self._limit = limit
        self._hold = hold
        # The CRLF of the DATA command itself: a message may begin with its end, or with a dot.
        self._data = bytearray(b"\r\n")
        self._fault: Fault | None = None
        # Dots of stuffing do not count for the limit; they are counted when they could matter.
        self._threshold = limit + len(_END)

    def feed(self, chunk: bytearray) -> Message | Refusal | None:
        """Take the message's octets from the front of `chunk`; return what it is at its end.

        What follows the end stays in `chunk`; while the end has not come, nothing stays.
        """
        data = self._data
        seen = max(0, len(data) - len(_END) + 1)
        if self._fault is None and not self._hold(len(data) + len(chunk)):
            self._fault = "no-memory"
        data += chunk
        chunk.clear()
        end = data.find(_END, seen)
        if end >= 0:
            chunk += memoryview(data)[end + len(_END) :]
            del data[end + 2 :]
            return self._finish()
        if self._fault is None and len(data) > self._threshold and self._is_too_large():
            self._fault = "too-large"
        if self._fault is not None:
            # Only what may be the beginning of the end is kept.
            del data[: -len(_END) + 1]
            self._hold(len(data))
        return None

    def _is_too_large(self) -> bool:
        self._threshold = self._limit + len(_END) + self._data.count(_STUFFED)
        return len(self._data) > self._threshold

    def _finish(self) -> Message | Refusal:
        if self._fault is not None:
            return Refusal(self._fault)
        data = self._data
        lines = data.count(b"\r\n")
        bare = data.count(b"\n") != lines or data.count(b"\r") != lines
        # Each line but the last is ended within the data; the first CRLF is not the message's.
        content = bytes(memoryview(data.replace(_STUFFED, b"\r\n"))[2:])
        if len(content) > self._limit:
            return Refusal("too-large")
        if bare:
            return Refusal("bare-line-end")
        if b"\0" in content:
            return Refusal("nul")
        return Message(content)
