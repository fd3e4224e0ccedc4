"""The signature fields of DKIM and ARC as values (RFC 6376 section 3.5, RFC 8617 section 4.1).

Parsing is as strict as section 6.1.1 asks: "any inconsistency or unexpected values MUST cause the
header field to be completely ignored".
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from mail.authentication.canonicalization import Canonicalization, relaxed_field
from mail.authentication.domains import DomainError, to_ascii, within
from mail.authentication.message import HashName, Message
from mail.authentication.reasons import Reason, in_words
from mail.authentication.taglist import Tag, TagListError, parse_tag_list, quoted_printable
from mail.fields import Field

_DIGITS = re.compile(rb"[0-9]+\Z")
_SELECTOR = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")
_FIELD_NAME = re.compile(rb"[!-9;-~]+\Z")
_ALGORITHMS: dict[str, tuple[Literal["rsa", "ed25519"], HashName]] = {
    "rsa-sha256": ("rsa", "sha256"),
    "rsa-sha1": ("rsa", "sha1"),
    "ed25519-sha256": ("ed25519", "sha256"),
}
_REQUIRED = ("v", "a", "b", "bh", "d", "h", "s")


class SignatureError(ValueError):
    """The field cannot be used as a signature."""

    def __init__(self, reason: Reason, **facts: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.words = in_words(reason, **facts)
        self.signer = ""
        """d= and s= as far as they could be read, so that a report can name the signer."""
        self.selector = ""


class Signature(NamedTuple):
    """A DKIM-Signature or ARC-Message-Signature without syntax errors."""

    field: Field
    algorithm: str
    key_type: Literal["rsa", "ed25519"]
    hash_name: HashName
    value: bytes
    body_hash: bytes
    header_method: Canonicalization
    body_method: Canonicalization
    domain: str
    selector: str
    names: tuple[bytes, ...]
    """h=, lower case, in order."""
    identity: str
    """i= decoded, or "@" and the domain."""
    identity_domain: str
    length: int | None
    signed_at: int | None
    expires_at: int | None
    """Seconds since the epoch."""
    value_span: tuple[int, int]
    """Where the value of b= stands in the field's value."""

    @property
    def key_name(self) -> str:
        """The name that holds the key (section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    def signed_octets(self, message: Message) -> bytes:
        """Return what was hashed: the selected fields, then this one without b= (section 3.7)."""
        chosen = message.signed_fields(self.names, self.header_method, self.field)
        return chosen + without_signature(self.field, self.value_span, self.header_method)


def without_signature(field: Field, span: tuple[int, int], method: Canonicalization) -> bytes:
    """Return `field` canonical, the value of b= taken out, without the final CRLF."""
    start, end = span
    value = field.value[:start] + field.value[end:]
    if method == "relaxed":
        return relaxed_field(field.name, value).removesuffix(b"\r\n")
    # The raw field is its name as written, the colon, and the value.
    before = field.raw[: field.raw.index(b":") + 1]
    return before + value


def parse_signature(field: Field, *, arc: bool = False) -> Signature:
    """Parse a DKIM-Signature, or with `arc` an ARC-Message-Signature (without v=, i= a number).

    Raises SignatureError.
    """
    try:
        tags = parse_tag_list(field.value)
    except TagListError as error:
        raise SignatureError(Reason.DKIM_SYNTAX, why=error) from error
    try:
        return _signature(field, tags, arc=arc)
    except (SignatureError, TagListError) as error:
        refused = error
        if isinstance(refused, TagListError):
            refused = SignatureError(Reason.DKIM_SYNTAX, why=refused)
        refused.signer = tags["d"].text.lower() if "d" in tags else ""
        refused.selector = tags["s"].text if "s" in tags else ""
        raise refused from error


def _signature(field: Field, tags: dict[str, Tag], *, arc: bool) -> Signature:
    if not arc:
        version = tags.get("v")
        if version is not None and version.value != b"1":
            raise SignatureError(Reason.DKIM_VERSION, version=version.text)
    for name in _REQUIRED[1:] if arc else _REQUIRED:
        if name not in tags:
            raise SignatureError(Reason.DKIM_TAG_MISSING, tag=name)
    algorithm = tags["a"].text.lower()
    if algorithm not in _ALGORITHMS:
        raise SignatureError(Reason.DKIM_ALGORITHM, algorithm=algorithm)
    key_type, hash_name = _ALGORITHMS[algorithm]
    header_method, body_method = _methods(tags.get("c"), arc=arc)
    queries = tags["q"].items() if "q" in tags else ["dns/txt"]
    if "dns/txt" not in queries:
        raise SignatureError(Reason.DKIM_QUERY, method=tags["q"].text)
    domain, selector = signer(tags)
    names = _names(tags["h"], arc=arc)
    if b"from" not in names and not arc:
        raise SignatureError(Reason.DKIM_FROM_UNSIGNED)
    identity, identity_domain = f"@{domain}", domain
    if "i" in tags and not arc:
        identity, identity_domain = _identity(tags["i"], domain)
    signed_at, expires_at = _number(tags, "t", 12), _number(tags, "x", 12)
    if signed_at is not None and expires_at is not None and expires_at <= signed_at:
        # Section 3.5: x= MUST be greater than t=.
        raise SignatureError(Reason.DKIM_SYNTAX, why="it expires before it was made")
    value = tags["b"].octets()
    if not value:
        raise SignatureError(Reason.DKIM_SYNTAX, why="b= is empty")
    return Signature(
        field=field,
        algorithm=algorithm,
        key_type=key_type,
        hash_name=hash_name,
        value=value,
        body_hash=tags["bh"].octets(),
        header_method=header_method,
        body_method=body_method,
        domain=domain,
        selector=selector,
        names=names,
        identity=identity,
        identity_domain=identity_domain,
        length=_number(tags, "l", 76),
        signed_at=signed_at,
        expires_at=expires_at,
        value_span=(tags["b"].start, tags["b"].end),
    )


def signer(tags: dict[str, Tag]) -> tuple[str, str]:
    """Return d= and s= as A-labels. Raises SignatureError when they are no names."""
    try:
        domain = to_ascii(tags["d"].text)
        selector = to_ascii(tags["s"].text)
    except DomainError:
        raise SignatureError(Reason.DKIM_SYNTAX, why="d= or s= is no domain name") from None
    # Section 3.5: domain-name = sub-domain 1*("." sub-domain).
    if "." not in domain or not _SELECTOR.match(selector):
        raise SignatureError(Reason.DKIM_SYNTAX, why="d= or s= is no domain name")
    return domain, selector


def _methods(tag: Tag | None, *, arc: bool) -> tuple[Canonicalization, Canonicalization]:
    if tag is None:
        # RFC 8617 names no default of its own; sealers in use leave c= out for relaxed/relaxed,
        # the only method that seals know (its section 4.1.3).
        return ("relaxed", "relaxed") if arc else ("simple", "simple")
    # Section 3.5: when only one is named, the body is "simple".
    header, _, body = tag.text.lower().partition("/")
    body = body or "simple"
    if header not in ("simple", "relaxed") or body not in ("simple", "relaxed"):
        raise SignatureError(Reason.DKIM_CANONICALIZATION, method=tag.text)
    return header, body


def _names(tag: Tag, *, arc: bool) -> tuple[bytes, ...]:
    names = tuple(name.strip(b" \t\r\n").lower() for name in tag.value.split(b":"))
    if arc:
        # Empty members occur in seals in use; they select nothing.
        names = tuple(name for name in names if name)
    if not all(names) or (names and _FIELD_NAME.match(b"".join(names)) is None):
        raise SignatureError(Reason.DKIM_SYNTAX, why="h= is no list of field names")
    return names


def _identity(tag: Tag, domain: str) -> tuple[str, str]:
    identity = quoted_printable(tag.value).decode("utf-8", "surrogateescape")
    _, at, host = identity.rpartition("@")
    try:
        identity_domain = to_ascii(host)
    except DomainError:
        at = identity_domain = ""
    if not at or not within(identity_domain, domain):
        raise SignatureError(Reason.DKIM_IDENTITY, identity=identity, domain=domain)
    return identity, identity_domain


def _number(tags: dict[str, Tag], name: str, digits: int) -> int | None:
    tag = tags.get(name)
    if tag is None:
        return None
    if _DIGITS.match(tag.value) is None or len(tag.value) > digits:
        raise SignatureError(Reason.DKIM_SYNTAX, why=f"{name}= is no number")
    return int(tag.value)
