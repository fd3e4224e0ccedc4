"""The replies in a session, with the enhanced status codes of RFC 3463.

RFC 2034 section 3: every 2xx, 4xx and 5xx carries one, save the greeting and the answers to
HELO and EHLO. No reply repeats what the client sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; `enhanced` is "" where RFC 2034 has none. A closing one ends the connection."""

    code: int
    enhanced: str
    lines: tuple[str, ...]
    closing: bool = False

    def encode(self) -> bytes:
        """Return the reply as it goes over the wire (RFC 5321 section 4.2.1)."""
        mark = f"{self.enhanced} " if self.enhanced else ""
        last = len(self.lines) - 1
        return "".join(
            f"{self.code}{' ' if i == last else '-'}{mark}{line}\r\n"
            for i, line in enumerate(self.lines)
        ).encode("ascii")

    @property
    def refuses(self) -> bool:
        """True for 4xx and 5xx."""
        return self.code >= 400


def reply(code: int, enhanced: str, *lines: str) -> Reply:
    """Return a reply after which the session goes on."""
    return Reply(code, enhanced, lines)


def goodbye(code: int, enhanced: str, *lines: str) -> Reply:
    """Return a reply that ends the connection."""
    return Reply(code, enhanced, lines, closing=True)


OK = reply(250, "2.0.0", "Ok")
SENDER_OK = reply(250, "2.1.0", "Ok")
RECIPIENT_OK = reply(250, "2.1.5", "Ok")
START_DATA = reply(354, "", "End data with <CR><LF>.<CR><LF>")
READY_FOR_TLS = reply(220, "2.0.0", "Ready to start TLS")
CANNOT_VERIFY = reply(252, "2.0.0", "Send some mail, I'll try my best")
BYE = goodbye(221, "2.0.0", "Bye")

# What the client wrote.
UNKNOWN_COMMAND = reply(500, "5.5.1", "Command not recognized")
NOT_IMPLEMENTED = reply(502, "5.5.1", "Command not implemented")
LINE_TOO_LONG = reply(500, "5.5.2", "Line too long")
BAD_LINE = reply(500, "5.5.2", "A line is text ended by <CR><LF>")
BAD_ARGUMENTS = reply(501, "5.5.4", "Syntax error in parameters or arguments")
NO_ARGUMENTS = reply(501, "5.5.4", "This command takes no parameters")
UNKNOWN_PARAMETER = reply(555, "5.5.4", "Parameter not recognized or not implemented")
BAD_SENDER_SYNTAX = reply(501, "5.1.7", "Bad sender address syntax")
BAD_RECIPIENT_SYNTAX = reply(501, "5.1.3", "Bad recipient address syntax")
# RFC 6531 section 3.5: 550 at MAIL, 553 at RCPT.
SENDER_NOT_ASCII = reply(550, "5.6.7", "Non-ASCII sender needs SMTPUTF8")
RECIPIENT_NOT_ASCII = reply(553, "5.6.7", "Non-ASCII recipient needs SMTPUTF8")

# What comes at the wrong time.
NEED_MAIL = reply(503, "5.5.1", "Need MAIL command")
NESTED_MAIL = reply(503, "5.5.1", "Nested MAIL command")
XFORWARD_IN_MAIL = reply(503, "5.5.1", "Mail transaction in progress")
TLS_ALREADY = reply(503, "5.5.1", "TLS already active")
PIPELINED_STARTTLS = goodbye(421, "4.7.0", "Nothing may follow STARTTLS before TLS")
NOT_SMTP = goodbye(421, "4.7.0", "This is a mail server")

# Who it is from, and for.
XFORWARD_DENIED = reply(550, "5.7.1", "Not from this address")
NO_SUCH_USER = reply(550, "5.1.1", "No such user here")
ONLY_BOUNCES = reply(550, "5.7.1", "This address takes delivery reports only")
RELAYING_DENIED = reply(550, "5.7.1", "Relaying denied")
# RFC 3463 section 3.3: temporary, for its owner may make room.
OVER_QUOTA = reply(452, "4.2.2", "Mailbox is full")
TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Too many recipients")

# The message.
TOO_LARGE = reply(552, "5.3.4", "Message size exceeds fixed maximum message size")
BARE_LINE_END = reply(550, "5.6.0", "Message contains bare CR or bare LF")
CONTAINS_NUL = reply(550, "5.6.0", "Message contains NUL")
LOOP = reply(554, "5.4.6", "Too many hops, mail loop")

# Limits and trouble.
TOO_MANY_CONNECTIONS = goodbye(421, "4.7.0", "Too many connections")
CONNECTIONS_TOO_FAST = goodbye(421, "4.7.0", "Too many connections in a short time")
TOO_MANY_MESSAGES = reply(450, "4.7.1", "Too many messages in a short time")
RECIPIENTS_TOO_FAST = reply(450, "4.7.1", "Too many recipients in a short time")
TOO_MANY_ERRORS = goodbye(421, "4.7.0", "Too many errors")
TOO_MANY_COMMANDS = goodbye(421, "4.7.0", "Too many commands without a message")
SYSTEM_BUSY = reply(451, "4.3.2", "System not accepting messages now, try again later")
OUT_OF_MEMORY = reply(452, "4.3.1", "Insufficient system storage, try again later")
ENGINE_DOWN = reply(451, "4.3.0", "Temporary failure, try again later")
INTERNAL_ERROR = goodbye(421, "4.3.0", "Internal error, closing connection")
TIMED_OUT = goodbye(421, "4.4.2", "Timeout exceeded")
SHUTTING_DOWN = goodbye(421, "4.3.2", "Service shutting down")


def greeting(hostname: str, protocol: str) -> Reply:
    """Return the reply with which a connection begins."""
    return reply(220, "", f"{hostname} {protocol}")


def commands(hello: Sequence[str]) -> Reply:
    """Return the answer to HELP, where a session begins with one of `hello`."""
    names = " ".join(hello)
    return reply(
        214, "2.0.0", f"Commands: {names} MAIL RCPT DATA RSET NOOP VRFY HELP STARTTLS QUIT"
    )


def need_hello(hello: Sequence[str]) -> Reply:
    """Return what is said to a command that comes before the session has begun."""
    return reply(503, "5.5.1", f"Send {hello[0]} first")


def no_recipients(code: int) -> Reply:
    """Return the answer to DATA when no recipient was accepted."""
    return reply(code, "5.5.1", "No valid recipients")


def queued(mail_id: str) -> Reply:
    """Return the reply that makes us responsible for a mail (RFC 5321 section 6.1)."""
    return reply(250, "2.0.0", f"Ok: queued as {mail_id}")
