"""What is done with a message because of DMARC (RFC 9989 sections 5.3.6, 5.4, 7.2)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from mail.authentication.dmarc import DmarcOutcome

Handling: TypeAlias = Literal["accept", "quarantine", "reject"]


def handling(dmarc: DmarcOutcome, *, may_reject: bool = False) -> Handling:
    """Return how to handle a message.

    A Mail Receiver SHOULD NOT reject because of a published policy alone (section 5.4), and a
    message accepted already must not be returned to a forged address: unless `may_reject`, which
    only an SMTP server may say before it has answered DATA, "reject" is quarantined.
    """
    if dmarc.disposition == "reject":
        return "reject" if may_reject else "quarantine"
    return "quarantine" if dmarc.disposition == "quarantine" else "accept"


def refusal(dmarc: DmarcOutcome) -> str:
    """Return the text of a refusal in answer to DATA (section 7.2), for 550 5.7.1; ASCII."""
    return f"Email rejected per DMARC policy for {dmarc.domain or 'the domain in From'}"
