"""Addresses as the directory keeps and compares them."""

from __future__ import annotations

import re
from typing import NamedTuple

from infra.ports import DirectoryError
from mail.addresses import canonical_domain, split_address

DETAIL = "+"
"""Separates user and detail of a sub-address (RFC 5233 section 1 leaves the choice to the host)."""

# LDH labels (RFC 1123 section 2.1), A-labels included; one label alone is a host of a local net.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
# dot-atom (RFC 5322 section 3.2.3) with UTF-8 (RFC 6532 section 3.2).
_ATOM = r"[^\x00-\x20\x7f()<>\[\]:;@\\,.\"]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class Name(NamedTuple):
    """An address taken apart: user and domain folded, the detail as it was written."""

    user: str
    detail: str
    domain: str

    @property
    def address(self) -> str:
        """The address without its detail."""
        return f"{self.user}@{self.domain}"


def parse(address: str) -> Name | None:
    """Return the parts of `address`, None when it has no user or no domain.

    User and domain are compared without regard to case; a quoted local part is the same as the
    one without quotes (RFC 5321 section 4.1.2).
    """
    local, domain = split_address(address.strip())
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    user, _, detail = local.partition(DETAIL)
    if not user or not domain:
        return None
    return Name(user.lower(), detail, canonical_domain(domain))


def valid_domain(domain: str) -> str:
    """Return the folded form of a domain. Raises DirectoryError when it can't be one."""
    folded = canonical_domain(domain.strip())
    if len(folded) > 253 or not _DOMAIN.match(folded):
        raise DirectoryError(f"{domain!r} is not a domain name; give one such as example.test")
    return folded


def valid_address(address: str) -> Name:
    """Return the parts of an address that is to be stored.

    Raises DirectoryError for what is no address, and for one with a detail.
    """
    name = parse(address)
    # RFC 5321 section 4.5.3.1.1: a local part has at most 64 octets.
    if name is None or len(name.user.encode()) > 64 or not _LOCAL.match(name.user):
        raise DirectoryError(f"{address!r} is not an address; give one such as ada@example.test")
    if name.detail:
        raise DirectoryError(f"{address!r} is a sub-address; give the address before the '+'")
    return name._replace(domain=valid_domain(name.domain))
