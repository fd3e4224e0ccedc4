"""SMTP as other servers speak it to an MX."""

from __future__ import annotations

from ingress.smtp.dialect import Dialect

ESMTP = Dialect(
    source="smtp",
    name="ESMTP",
    hello=("EHLO", "HELO"),
    # RFC 5321 section 3.3: 554 or 503.
    no_recipients=554,
    each_recipient=False,
    # Whoever may connect is a client, and speaks for itself.
    xforward=False,
)
