"""The trace fields that stand above a message as it is shown: composed once, kept in its digest."""

from __future__ import annotations

from collections.abc import Callable

from schemas.events import Received
from schemas.parts import AuthenticatedSecret, ReceivedSecret

Trace = Callable[[Received, ReceivedSecret, AuthenticatedSecret | None], bytes]
"""Trace fields with CRLF line ends."""
