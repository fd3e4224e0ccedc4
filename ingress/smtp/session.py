"""The state of one session, without I/O (RFC 5321 section 3).

`Session.take` judges a line; what it can't do itself it hands back as a wish to the connection,
which comes back with the result. The order of commands (RFC 5321 section 4.1.4):

    state \\ command   EHLO    MAIL    RCPT    DATA    STARTTLS
    new               hello   503     503     503     503
    hello             hello   mail    503     503     new, by TLS
    mail              hello   503     rcpt    5xx     new, by TLS
    rcpt              hello   503     rcpt    data    new, by TLS

RSET brings mail and rcpt back to hello; after data it is hello again. XFORWARD has its place in
hello. In LMTP the first command is LHLO.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.ports import Recipient
from ingress.arrival import MAX_FORWARDS
from ingress.smtp import replies, xforward
from ingress.smtp.commands import (
    Command,
    Hello,
    Mail,
    Plain,
    Rcpt,
    Refused,
    XForward,
    read_command,
)
from ingress.smtp.dialect import Dialect
from ingress.smtp.paths import Path
from ingress.smtp.replies import Reply
from ingress.smtp.xforward import Client
from schemas.parts import Forward


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a session announces and allows."""

    dialect: Dialect
    hostname: str
    max_message_bytes: int
    max_recipients: int = 100
    starttls: bool = False
    max_errors: int = 20
    """Refused commands in a session, before it ends."""
    max_idle_commands: int = 100
    """Commands that bring no message nearer, between messages, before the session ends."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A wish: say whether a transaction with this sender may begin."""

    mail: Mail


@dataclass(frozen=True, slots=True)
class Resolve:
    """A wish: find out whom a forward-path reaches."""

    path: Path


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A wish: answer 354 and read the message."""


@dataclass(frozen=True, slots=True)
class BeginTls:
    """A wish: answer 220 and begin TLS."""


Wish = Begin | Resolve | ReadMessage | BeginTls


@dataclass(frozen=True, slots=True)
class Reached:
    """A recipient that was accepted."""

    forward_path: str
    """As the client wrote it."""
    mailboxes: tuple[str, ...]
    forwards: tuple[Forward, ...] = ()
    """Addresses on other hosts that it goes on to."""


@dataclass(slots=True)
class Transaction:
    """A mail on its way in."""

    reverse_path: Path
    smtputf8: bool
    recipients: list[Reached] = field(default_factory=list[Reached])
    """One for each RCPT that was answered with 250, in their order, repeats included."""


class Session:
    """One session; TLS begins a new one (RFC 3207 section 4.2)."""

    def __init__(self, offer: Offer, *, over_tls: bool = False, trusted: bool = False) -> None:
        """With `trusted` the peer is believed what it says by XFORWARD."""
        self.offer = offer
        self.over_tls = over_tls
        self.takes_xforward = trusted and offer.dialect.xforward
        self.forwarded: Client | None = None
        self.client_name = ""
        self.extended = False
        self.transaction: Transaction | None = None
        self._errors = 0
        self._idle_commands = 0

    def take(self, line: bytes) -> Reply | Wish:
        """Judge one line, given with its end."""
        try:
            answer = self._judge(read_command(line, self.offer.dialect))
        except Refused as e:
            answer = e.reply
        return self.refusal(answer) if isinstance(answer, Reply) and answer.refuses else answer

    def refusal(self, answer: Reply) -> Reply:
        """Count a refused command; return `answer`, or the reply that ends the session."""
        self._errors += 1
        return replies.TOO_MANY_ERRORS if self._errors > self.offer.max_errors else answer

    def begun(self, mail: Mail) -> Reply:
        """Begin a transaction: the answer to Begin."""
        self.transaction = Transaction(mail.path, mail.smtputf8)
        return replies.SENDER_OK

    def resolved(self, path: Path, reach: Sequence[Recipient | Forward]) -> Reply:
        """Add a recipient: the answer to Resolve."""
        assert self.transaction is not None
        new = Reached(
            path.text,
            tuple(r.mailbox_id for r in reach if isinstance(r, Recipient)),
            tuple(r for r in reach if isinstance(r, Forward)),
        )
        # The client sends a mail to those that are left over in a second transaction, as it does
        # when there are too many of them.
        there = sum(len(r.forwards) for r in self.transaction.recipients)
        if there + len(new.forwards) > MAX_FORWARDS:
            return replies.TOO_MANY_RECIPIENTS
        self.transaction.recipients.append(new)
        return replies.RECIPIENT_OK

    def ended(self) -> None:
        """End the transaction, whatever became of its message."""
        self._reset()
        self._idle_commands = 0

    def _reset(self) -> None:
        self.transaction = None
        # It was said of this one mail.
        self.forwarded = None

    def _judge(self, command: Command) -> Reply | Wish:
        match command:
            case Hello():
                return self._hello(command)
            case Mail():
                return self._mail(command)
            case Rcpt():
                return self._rcpt(command)
            case XForward():
                return self._xforward(command)
            case Plain():
                return self._plain(command)

    def _plain(self, command: Plain) -> Reply | Wish:
        match command.verb:
            case "DATA":
                return self._data()
            case "RSET":
                self._reset()
                return self._idle(replies.OK)
            case "NOOP":
                return self._idle(replies.OK)
            case "VRFY":
                # RFC 5321 section 7.3: what exists here is nobody's business.
                return self._idle(replies.CANNOT_VERIFY)
            case "HELP":
                return self._idle(replies.commands(self.offer.dialect.hello))
            case "QUIT":
                return replies.BYE
            case "STARTTLS":
                return self._starttls()

    def _idle(self, answer: Reply) -> Reply:
        self._idle_commands += 1
        if self._idle_commands > self.offer.max_idle_commands:
            return replies.TOO_MANY_COMMANDS
        return answer

    def _hello(self, command: Hello) -> Reply:
        # RFC 5321 section 4.1.4: EHLO later in the session is as RSET.
        self._reset()
        self.client_name = command.name
        self.extended = command.extended
        if not command.extended:
            return self._idle(replies.reply(250, "", self.offer.hostname))
        keywords = [
            self.offer.hostname,
            f"SIZE {self.offer.max_message_bytes}",
            "PIPELINING",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
        ]
        # RFC 3207 section 4.2: not announced once TLS is active.
        if self.offer.starttls and not self.over_tls:
            keywords.append("STARTTLS")
        if self.takes_xforward:
            keywords.append(xforward.ANNOUNCED)
        return self._idle(replies.reply(250, "", *keywords))

    def _xforward(self, command: XForward) -> Reply:
        if not self.takes_xforward:
            return replies.XFORWARD_DENIED
        if not self.client_name:
            return self._need_hello()
        if self.transaction is not None:
            return replies.XFORWARD_IN_MAIL
        # The first one sets all that it does not say to unavailable.
        self.forwarded = (self.forwarded or Client()).updated(command.attributes)
        return self._idle(replies.OK)

    def _need_hello(self) -> Reply:
        return replies.need_hello(self.offer.dialect.hello)

    def _mail(self, command: Mail) -> Reply | Wish:
        if not self.client_name:
            return self._need_hello()
        if self.transaction is not None:
            return replies.NESTED_MAIL
        # RFC 5321 section 4.1.1.11: parameters belong to sessions not begun by HELO.
        if command.extended and not self.extended:
            return replies.UNKNOWN_PARAMETER
        if not command.path.is_ascii and not command.smtputf8:
            return replies.SENDER_NOT_ASCII
        if command.size is not None and command.size > self.offer.max_message_bytes:
            return replies.TOO_LARGE
        return Begin(command)

    def _rcpt(self, command: Rcpt) -> Reply | Wish:
        if self.transaction is None:
            return replies.NEED_MAIL
        if not command.path.is_ascii and not self.transaction.smtputf8:
            return replies.RECIPIENT_NOT_ASCII
        # RFC 5321 section 4.5.3.1.10: 452, and what was accepted stays accepted.
        if len(self.transaction.recipients) >= self.offer.max_recipients:
            return replies.TOO_MANY_RECIPIENTS
        return Resolve(command.path)

    def _data(self) -> Reply | Wish:
        if self.transaction is None:
            return replies.NEED_MAIL
        if not self.transaction.recipients:
            return replies.no_recipients(self.offer.dialect.no_recipients)
        return ReadMessage()

    def _starttls(self) -> Reply | Wish:
        if self.over_tls:
            return replies.TLS_ALREADY
        if not self.offer.starttls:
            return replies.NOT_IMPLEMENTED
        if not self.client_name:
            return self._need_hello()
        return BeginTls()
