"""The doors through which mail comes in."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from ingress.client import Networks, networks
from ingress.lmtp.dialect import LMTP
from ingress.mx.dialect import ESMTP
from ingress.smtp.admission import BackPressure
from ingress.smtp.certificate import generated, tls_context
from ingress.smtp.dialect import Dialect
from ingress.smtp.returning import ReturnPaths
from ingress.smtp.screening import Screening
from ingress.smtp.server import Options, Server

if TYPE_CHECKING:
    from mailfold.wiring import House


def mx(house: House) -> Server:
    """Return the MX. Raises SettingsError."""
    screening = _screening(house) if house.settings.dmarc_reject else None
    return _server(house, ESMTP, screening=screening)


def lmtp(house: House) -> Server:
    """Return the LMTP server."""
    # No screening: the server in front has taken the mail, and would send a bounce to an address
    # that DMARC just found to be forged.
    return _server(house, LMTP, trusted=networks(house.settings.lmtp_trusted))


def _server(
    house: House, dialect: Dialect, *, trusted: Networks = (), screening: Screening | None = None
) -> Server:
    s = house.settings
    return Server(
        dialect,
        Options(
            hostname=s.hostname,
            trusted=trusted,
            max_message_bytes=s.max_message_bytes,
            max_recipients=s.limit_recipients,
            max_connections=s.limit_connections,
            max_connections_per_network=s.limit_connections,
            max_errors=s.limit_errors,
            postmaster=s.postmaster,
            max_memory_bytes=max(256 * 1024 * 1024, 2 * s.max_message_bytes),
            back_pressure=BackPressure(slow=s.lag_slow, stop=s.lag_stop),
        ),
        intake=house.intake,
        directory=house.directory,
        limits=house.limits,
        lag=house.lag,
        clock=house.clock,
        random=house.random,
        fingerprint=house.fingerprint,
        tls=_tls(house),
        room=house.room(),
        screening=screening,
        returns=ReturnPaths(house.keys, house.content, house.fingerprint, house.clock),
    )


def _screening(house: House) -> Screening:
    resolver, limits = house.resolver()
    return Screening(
        resolve=resolver.resolve,
        at_hand=resolver.at_hand,
        settings=house.policy,
        limits=limits,
        hostname=house.settings.hostname,
        clock=house.clock,
    )


def _tls(house: House) -> ssl.SSLContext:
    s = house.settings
    if s.tls_certificate is not None:
        return tls_context(s.tls_certificate, s.tls_key or s.tls_certificate)
    return tls_context(*generated(s.data, s.hostname))
