"""LMTP as a local mail server speaks it to what delivers for it (RFC 2033)."""

from __future__ import annotations

from ingress.smtp.dialect import Dialect

LMTP = Dialect(
    source="lmtp",
    name="LMTP",
    # RFC 2033 section 4.1: HELO and EHLO are not there.
    hello=("LHLO",),
    # RFC 2033 section 4.2: 503.
    no_recipients=503,
    each_recipient=True,
    xforward=True,
)
