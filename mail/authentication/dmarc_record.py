"""The text of a DMARC Policy Record (RFC 9989 sections 4.7 and 4.8).

Only the version decides whether a TXT record is one. After that a syntax error costs no more than
its tag: "Syntax errors in the remainder of the record MUST be discarded in favor of default
values (if any) or ignored outright."
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, cast

Policy: TypeAlias = Literal["none", "quarantine", "reject"]
Alignment: TypeAlias = Literal["r", "s"]

_VERSION = re.compile(rb"[ \t]*[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_TAG = re.compile(r"[ \t]*([A-Za-z]+)[ \t]*=[ \t]*([\x20-\x7e\t]*?)[ \t]*\Z")
_POLICIES = frozenset(("none", "quarantine", "reject"))
# RFC 3986 section 3.1 for the scheme; commas and "!" in a URI are encoded, but the obsolete size
# limit may follow (RFC 9989 section 4.8).
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):([^\s,!;]+)(?:![0-9]+[kmgtKMGT]?)?\Z")


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A DMARC Policy Record with defaults filled in."""

    policy: Policy | None
    """p=, or None when it is absent or not valid."""
    subdomain_policy: Policy | None
    nonexistent_policy: Policy | None
    policies_valid: bool
    """False when p= is absent or p=, sp= or np= is not valid (section 4.10.1)."""
    dkim_alignment: Alignment
    spf_alignment: Alignment
    psd: Literal["y", "n", "u"]
    testing: bool
    aggregate_uris: tuple[str, ...]
    """Syntactically valid URIs of rua=."""
    failure_uris: tuple[str, ...]
    failure_options: frozenset[str]

    @property
    def usable(self) -> bool:
        """False when section 4.10.1 says to apply no DMARC processing because of this record."""
        return self.policies_valid or bool(self.aggregate_uris)

    def published(self) -> Policy:
        """Return the policy for the domain itself; "none" for a record with invalid policies."""
        return self.policy if self.policies_valid and self.policy is not None else "none"

    def for_subdomain(self, *, exists: bool) -> Policy:
        """Return the policy for a subdomain (section 4.7, np= and sp=)."""
        if not self.policies_valid:
            return "none"
        if not exists and self.nonexistent_policy is not None:
            return self.nonexistent_policy
        return self.subdomain_policy or self.published()


def find_record(texts: Sequence[bytes]) -> DmarcRecord | None:
    """Return the DMARC record among the TXT records of a name.

    Section 4.10 step 2: records of other versions are discarded, and several records are none.
    """
    found = [text for text in texts if _VERSION.match(text)]
    return parse_dmarc(found[0]) if len(found) == 1 else None


def parse_dmarc(text: bytes) -> DmarcRecord | None:
    """Parse a record; None when it is not a DMARC record at all."""
    return _kept(text) if len(text) <= _LONGEST_KEPT else _parsed(text)


def _parsed(text: bytes) -> DmarcRecord | None:
    version = _VERSION.match(text)
    if version is None:
        return None
    tags, doubled = _tags(text[version.end() :].decode("latin-1"))
    invalid: list[str] = []

    def policy(name: str) -> Policy | None:
        value = tags.get(name, "").lower()
        if name in doubled or (name in tags and value not in _POLICIES):
            invalid.append(name)
            return None
        return cast("Policy", value) if value else None

    p, sp, np = policy("p"), policy("sp"), policy("np")
    options = frozenset(option.strip() for option in tags.get("fo", "0").lower().split(":"))
    return DmarcRecord(
        policy=p,
        subdomain_policy=sp,
        nonexistent_policy=np,
        policies_valid=p is not None and not invalid,
        dkim_alignment=cast("Alignment", _one_of(tags.get("adkim"), "rs", "r")),
        spf_alignment=cast("Alignment", _one_of(tags.get("aspf"), "rs", "r")),
        psd=cast('Literal["y", "n", "u"]', _one_of(tags.get("psd"), "ynu", "u")),
        testing=_one_of(tags.get("t"), "yn", "n") == "y",
        aggregate_uris=_uris(tags.get("rua", "")),
        failure_uris=_uris(tags.get("ruf", "")),
        failure_options=options if options <= {"0", "1", "d", "s"} else frozenset("0"),
    )


# Records of the size in use are parsed once; what is larger is not worth the memory.
_LONGEST_KEPT = 1024
_kept = lru_cache(maxsize=1024)(_parsed)


def _tags(text: str) -> tuple[dict[str, str], set[str]]:
    """Return the tags, and the names of those that occur twice, which then have no value.

    RFC 6376 section 3.2 forbids duplicates; a sender may not choose which of two policies counts.
    """
    tags: dict[str, str] = {}
    doubled: set[str] = set()
    for spec in text.split(";"):
        match = _TAG.match(spec)
        if match is None:
            continue
        name = match[1].lower()
        if name in tags or name in doubled:
            doubled.add(name)
            tags.pop(name, None)
        else:
            tags[name] = match[2]
    return tags, doubled


def _one_of(value: str | None, allowed: Collection[str], default: str) -> str:
    lower = (value or "").lower()
    return lower if lower and lower in allowed and len(lower) == 1 else default


def _uris(text: str) -> tuple[str, ...]:
    uris: list[str] = []
    for item in text.split(","):
        match = _URI.match(item.strip())
        if match is None:
            continue
        scheme, rest = match[1].lower(), match[2]
        if scheme == "mailto" and "@" not in rest.strip("@"):
            continue
        uris.append(f"{scheme}:{rest}")
    return tuple(uris)
