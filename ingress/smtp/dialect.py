"""What differs between the protocols that a session may speak."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.parts import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A protocol of the SMTP family; everything that is not said here is the same in all."""

    source: Source
    """How a mail is said to have come in."""
    name: str
    """What the greeting calls the protocol."""
    hello: tuple[str, ...]
    """The commands that begin a session; all of them but HELO bring extensions."""
    no_recipients: int
    """Code of the reply to DATA when no recipient was accepted."""
    each_recipient: bool
    """After a message there is one reply for each accepted recipient, not one for all."""
    xforward: bool
    """A trusted peer may say by XFORWARD whom it has the mail from."""
