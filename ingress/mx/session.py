"""The state of one SMTP session, without I/O (RFC 5321 section 3).

`Session.take` judges a line; what it can't do itself it hands back as a wish to the connection,
which comes back with the result. The order of commands (RFC 5321 section 4.1.4):

    state \\ command   EHLO    MAIL    RCPT    DATA    STARTTLS
    new               hello   503     503     503     503
    hello             hello   mail    503     503     new, by TLS
    mail              hello   503     rcpt    554     new, by TLS
    rcpt              hello   503     rcpt    data    new, by TLS

RSET brings mail and rcpt back to hello; after data it is hello again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.ports import Recipient
from ingress.mx import replies
from ingress.mx.commands import Command, Hello, Mail, Plain, Rcpt, Refused, read_command
from ingress.mx.paths import Path
from ingress.mx.replies import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a session announces and allows."""

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


@dataclass(slots=True)
class Transaction:
    """A mail on its way in."""

    reverse_path: Path
    smtputf8: bool
    forward_paths: list[str] = field(default_factory=list[str])
    mailboxes: list[str] = field(default_factory=list[str])


class Session:
    """One session; TLS begins a new one (RFC 3207 section 4.2)."""

    def __init__(self, offer: Offer, *, over_tls: bool = False) -> None:
        self.offer = offer
        self.over_tls = over_tls
        self.client_name = ""
        self.extended = False
        self.transaction: Transaction | None = None
        self._errors = 0
        self._idle_commands = 0

    def take(self, line: bytes) -> Reply | Wish:
        """Judge one line, given with its end."""
        try:
            answer = self._judge(read_command(line))
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

    def resolved(self, path: Path, recipient: Recipient) -> Reply:
        """Add a recipient: the answer to Resolve."""
        assert self.transaction is not None
        self.transaction.forward_paths.append(path.text)
        self.transaction.mailboxes.append(recipient.mailbox_id)
        return replies.RECIPIENT_OK

    def ended(self) -> None:
        """End the transaction, whatever became of its message."""
        self.transaction = None
        self._idle_commands = 0

    def _judge(self, command: Command) -> Reply | Wish:
        match command:
            case Hello():
                return self._hello(command)
            case Mail():
                return self._mail(command)
            case Rcpt():
                return self._rcpt(command)
            case Plain():
                return self._plain(command)

    def _plain(self, command: Plain) -> Reply | Wish:
        match command.verb:
            case "DATA":
                return self._data()
            case "RSET":
                self.transaction = None
                return self._idle(replies.OK)
            case "NOOP":
                return self._idle(replies.OK)
            case "VRFY":
                # RFC 5321 section 7.3: what exists here is nobody's business.
                return self._idle(replies.CANNOT_VERIFY)
            case "HELP":
                return self._idle(replies.HELP)
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
        self.transaction = None
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
        return self._idle(replies.reply(250, "", *keywords))

    def _mail(self, command: Mail) -> Reply | Wish:
        if not self.client_name:
            return replies.NEED_HELLO
        if self.transaction is not None:
            return replies.NESTED_MAIL
        # RFC 5321 section 4.1.1.11: parameters belong to sessions begun by EHLO.
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
        if len(self.transaction.forward_paths) >= self.offer.max_recipients:
            return replies.TOO_MANY_RECIPIENTS
        return Resolve(command.path)

    def _data(self) -> Reply | Wish:
        if self.transaction is None:
            return replies.NEED_MAIL
        if not self.transaction.forward_paths:
            return replies.NO_RECIPIENTS
        return ReadMessage()

    def _starttls(self) -> Reply | Wish:
        if self.over_tls:
            return replies.TLS_ALREADY
        if not self.offer.starttls:
            return replies.NOT_IMPLEMENTED
        if not self.client_name:
            return replies.NEED_HELLO
        return BeginTls()
