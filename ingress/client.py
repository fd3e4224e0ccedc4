"""What is known of a client's address."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Networks = Sequence[IPv4Network | IPv6Network]


def plain_address(address: str) -> str:
    """Return `address` in its usual form: IPv4 out of IPv4-mapped IPv6, no zone; "" when none."""
    ip = _parse(address)
    return "" if ip is None else str(ip)


def network_of(address: str) -> str:
    """Return the network of a client: /24 of IPv4, /48 of IPv6; "" for what is no address.

    These are the sizes in which addresses are handed out to one party, so limits count by them.
    """
    ip = _parse(address)
    if ip is None:
        return ""
    if isinstance(ip, IPv4Address):
        return f"{IPv4Address(int(ip) >> 8 << 8)}/24"
    return f"{IPv6Address(int(ip) >> 80 << 80)}/48"


def networks(text: str) -> Networks:
    """Return the networks and single addresses in a comma-separated list. Raises ValueError."""
    return tuple(ip_network(one.strip(), strict=False) for one in text.split(",") if one.strip())


def is_within(address: str, given: Networks) -> bool:
    """Say whether `address` is in one of the networks; what is no address is in none."""
    ip = _parse(address)
    return ip is not None and any(ip in network for network in given)


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    # RFC 4291 section 2.5.5.2: a dual-stack socket shows an IPv4 client like this.
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip
