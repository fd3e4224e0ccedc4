"""Delivery status notifications: the report that a mail could not be delivered (RFC 3464)."""

from __future__ import annotations

import quopri
import re
from dataclasses import dataclass
from datetime import datetime

from mail.dates import format_date

MAX_HEADER = 64 * 1024
"""Octets of the original header that a report returns at most."""

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_UNSAFE = re.compile(r"[^\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says. Times are aware; addresses are without brackets."""

    sender: str
    """The reverse-path of the mail: who is told."""
    recipient: str
    """Whom the sender wrote to. Where it was passed on to is confidential (section 4.2)."""
    status: str
    """Enhanced status code (RFC 3463), of class 5."""
    code: int
    """SMTP reply code of the next host; 0 when none spoke."""
    arrived: datetime
    attempted: datetime
    """When it was tried last."""
    header: bytes
    """The header of the mail."""


def compose(
    report: Report, hostname: str, author_domain: str, identity: str, now: datetime
) -> bytes:
    """Return the report as a message with CRLF line ends and 7-bit lines.

    `hostname` names this installation, `author_domain` the domain of ours that it speaks for,
    `identity` makes its Message-ID and its boundaries. It is to be sent with the null reverse-path
    (RFC 5321 section 6.1), so that no report is made of it.
    """
    boundary = f"=_{identity}"
    head = [
        f"From: Mail Delivery System <postmaster@{author_domain}>",
        f"To: <{_shown(report.sender)}>",
        "Subject: Undelivered mail returned to sender",
        f"Date: {format_date(now)}",
        f"Message-ID: <{identity}@{author_domain}>",
        # RFC 3834 section 5: what answers by itself must not answer this.
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{boundary}"',
    ]
    parts = [
        ["Content-Type: text/plain; charset=us-ascii", "", *_words(report, hostname)],
        ["Content-Type: message/delivery-status", "", *_status(report, hostname)],
        _returned(report.header),
    ]
    lines = [*head, ""]
    for part in parts:
        lines += [f"--{boundary}", *part, ""]
    lines += [f"--{boundary}--", ""]
    return "\r\n".join(lines).encode("ascii")


def _words(report: Report, hostname: str) -> list[str]:
    return [
        f"This is the mail system at {_shown(hostname)}.",
        "",
        "Your message could not be delivered to",
        "",
        f"  {_shown(report.recipient)}",
        "",
        f"The reason: {report.status} ({_reason(report.status)}).",
        "It will not be tried again. The header of your message is attached.",
    ]


_REASONS = {
    "1": "the address is not known or not usable",
    "2": "the mailbox does not take it",
    "3": "the receiving system does not take it",
    "4": "the receiving system could not be reached",
    "5": "the systems did not understand each other",
    "6": "the message has a form that can't be transferred",
    "7": "the receiving system refuses it",
}


def _reason(status: str) -> str:
    """Return what the subject of a status means (RFC 3463 section 3)."""
    return _REASONS.get(status.split(".")[1], "it gave no reason")


def _status(report: Report, hostname: str) -> list[str]:
    lines = [
        # Section 2.2: about the message.
        f"Reporting-MTA: dns; {_shown(hostname)}",
        f"Arrival-Date: {format_date(report.arrived)}",
        "",
        # Section 2.3: about the recipient. Remote-MTA and the words of the reply may name the
        # address that the mail was passed on to, and are left out (section 4.2 c).
        f"Final-Recipient: {_typed(report.recipient)}",
        "Action: failed",
        f"Status: {report.status}",
    ]
    if report.code:
        lines.append(f"Diagnostic-Code: smtp; {report.code} {report.status}")
    return [*lines, f"Last-Attempt-Date: {format_date(report.attempted)}"]


def _typed(address: str) -> str:
    """Return an address with its type; beyond ASCII as RFC 6533 section 3 has it."""
    return f"{'rfc822' if address.isascii() else 'utf-8'}; {_shown(address)}"


def _shown(text: str) -> str:
    """Return a text in printable ASCII, other characters as utf-8-addr-xtext (RFC 6533 3)."""
    return _UNSAFE.sub(lambda m: "".join(rf"\x{{{ord(c):X}}}" for c in m[0]), text)


def _returned(header: bytes) -> list[str]:
    """Return the part with the header of the mail (RFC 6522 section 4)."""
    whole = header[:MAX_HEADER]
    if len(whole) < len(header):
        whole = whole[: whole.rfind(b"\n") + 1]
    lines = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n").split(b"\n")
    kind = "Content-Type: text/rfc822-headers"
    if whole.isascii() and b"\0" not in whole and max(map(len, lines)) <= 998:
        return [kind, "", *(line.decode("ascii") for line in lines)]
    coded = quopri.encodestring(b"\n".join(lines)).decode("ascii").split("\n")
    return [f"{kind}; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "", *coded]


EXPIRED = "5.4.7"
"""Status of a mail that was tried until its time was over (RFC 3463 section 3.5)."""


def permanent(enhanced: str) -> str:
    """Return the status of a report on what was refused with an enhanced code, or with none.

    Of class 5 whatever was said: what is reported has failed for good.
    """
    return f"5{enhanced[1:]}" if _ENHANCED.fullmatch(enhanced) else "5.0.0"
