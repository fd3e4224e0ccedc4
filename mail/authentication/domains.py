"""Domain names as identifiers: A-labels, comparison, parents (RFC 5890, RFC 4343)."""

from __future__ import annotations

import re
from functools import lru_cache

import idna

# What can stand in a name that mail uses: letters, digits, hyphen, underscore, and the other
# visible characters that no grammar of addresses or tags gives a meaning.
_LABEL = re.compile(r"[!#-'*+\-/-9=?A-Z^-~]+\Z")


_LONGEST = 1000
"""Characters of a name before IDNA shortens or lengthens it."""


class DomainError(ValueError):
    """The text is not a domain name."""


@lru_cache(maxsize=4096)
def to_ascii(domain: str) -> str:
    """Return `domain` in lower case, each U-label as its A-label, without the final dot.

    RFC 9989 section 5.3.1 asks for A-labels before a domain is compared or queried. Raises
    DomainError for what is no domain name: empty or over-long labels, white space, an address
    literal, or a label that IDNA 2008 does not allow.
    """
    if len(domain) > _LONGEST:
        raise DomainError("the text is too long for a domain name")
    text = domain.strip().removesuffix(".")
    if text.isascii():
        name = text.lower()
    else:
        # UTS 46 maps what users type (ideographic full stops, capitals) before IDNA 2008 applies.
        try:
            mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
            name = ".".join(
                label.lower() if label.isascii() else idna.alabel(label).decode("ascii")
                for label in mapped.split(".")
            )
        except (idna.IDNAError, UnicodeError) as error:
            raise DomainError(f"{domain!r} is not an internationalised domain name") from error
    if not name or len(name) > 253:
        raise DomainError(f"{domain!r} is not a domain name")
    for label in name.split("."):
        if not 0 < len(label) < 64 or _LABEL.match(label) is None:
            raise DomainError(f"{domain!r} is not a domain name")
    return name


@lru_cache(maxsize=4096)
def to_unicode(domain: str) -> str:
    """Return `domain` as a reader sees it: each valid A-label as its U-label."""
    shown: list[str] = []
    for label in domain.split("."):
        try:
            shown.append(idna.ulabel(label) if label.startswith("xn--") else label)
        except (idna.IDNAError, UnicodeError):
            shown.append(label)
    return ".".join(shown)


def within(domain: str, parent: str) -> bool:
    """Tell whether `domain` is `parent` or a subdomain of it (both from `to_ascii`)."""
    return domain == parent or domain.endswith("." + parent)
