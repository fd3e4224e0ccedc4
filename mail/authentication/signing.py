"""DKIM keys and signatures for outbound mail (RFC 6376 section 5, RFC 8463).

Signed twice, with RSA and with Ed25519, a message verifies at those who know either. Fields that
a reader sees are over-signed: named once more than they occur, so that adding one breaks the
signature (section 8.15).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mail.authentication.domains import DomainError, to_ascii
from mail.authentication.message import Message
from mail.authentication.signature import without_signature
from mail.authentication.taglist import parse_tag_list
from mail.fields import Field, split_header

KeyType: TypeAlias = Literal["rsa", "ed25519"]

RSA_BITS = 2048
"""RFC 8301 section 3.2: signers SHOULD use at least 2048 bits; longer keys strain DNS."""

OVERSIGNED = (b"from", b"subject", b"to", b"date", b"message-id")
"""Signed once more than they occur, absent or not."""
SIGNED = (
    b"sender",
    b"reply-to",
    b"cc",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
"""Signed as often as they occur (RFC 6376 section 5.4.1)."""

_SELECTOR = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_LINE = 72


class SigningError(ValueError):
    """The message or the key cannot be used for signing; `args[0]` says why."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under the name that DNS publishes its public half."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def kind(self) -> KeyType:
        """The k= of the key record."""
        return "rsa" if isinstance(self.private, RSAPrivateKey) else "ed25519"

    @property
    def algorithm(self) -> str:
        """The a= of a signature."""
        return f"{self.kind}-sha256"

    @property
    def name(self) -> str:
        """Where the public key is published."""
        return f"{self.selector}._domainkey.{self.domain}"

    def sign(self, octets: bytes) -> bytes:
        """Return the signature of `octets`."""
        digest = sha256(octets).digest()
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(digest, PKCS1v15(), Prehashed(SHA256()))
        # RFC 8463 section 3: the SHA-256 digest is what Ed25519 signs.
        return self.private.sign(digest)

    def to_pem(self) -> bytes:
        """Return the private key as PEM (PKCS #8, not encrypted)."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def record(self) -> str:
        """Return the text of the key record (RFC 6376 section 3.6.1, RFC 8463 section 4)."""
        public = self.private.public_key()
        if self.kind == "rsa":
            octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            octets = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={self.kind}; p={base64.b64encode(octets).decode('ascii')}"

    def zone_line(self, ttl: int = 3600) -> str:
        """Return the record as a line of a zone file, cut into strings of at most 255 octets."""
        return zone_line(self.name, self.record(), ttl)


def zone_line(name: str, text: str, ttl: int = 3600) -> str:
    """Return a TXT record as a line of a zone file, cut into strings of at most 255 octets."""
    parts = (text[at : at + 255] for at in range(0, len(text), 255))
    strings = " ".join(f'"{part}"' for part in parts)
    return f"{name}. {ttl} IN TXT ( {strings} )"


def empty_record(kind: KeyType) -> str:
    """Return the text that says that a key was revoked (RFC 6376 section 3.6.1, p=)."""
    return f"v=DKIM1; k={kind}; p="


def generate_key(domain: str, selector: str, kind: KeyType) -> SigningKey:
    """Make a new key. Raises SigningError when domain or selector are no names."""
    private = (
        rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        if kind == "rsa"
        else Ed25519PrivateKey.generate()
    )
    return SigningKey(_domain(domain), _selector(selector), private)


def load_key(domain: str, selector: str, pem: bytes) -> SigningKey:
    """Read a private key as `to_pem` writes it. Raises SigningError."""
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise SigningError("the key is not an unencrypted PEM private key") from error
    if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
        raise SigningError("the key is neither RSA nor Ed25519")
    return SigningKey(_domain(domain), _selector(selector), private)


def next_selector(kind: KeyType, now: datetime, taken: Sequence[str] = ()) -> str:
    """Return a selector for a key made at `now` that is not in `taken`.

    Rotation: a new key gets a new selector and is published before it signs; the old record stays
    until mail signed with it has been delivered, and is then emptied (p=), never reused.
    """
    base = f"{now:%Y%m%d}-{kind}"
    if base not in taken:
        return base
    counter = 2
    while f"{base}-{counter}" in taken:
        counter += 1
    return f"{base}-{counter}"


def sign(raw: bytes, keys: Sequence[SigningKey], now: datetime) -> bytes:
    """Return DKIM-Signature fields for `raw`, one for each key, to be put in front of it.

    Raises SigningError: a bare CR or LF, which a relay would change (section 5.3), or a message
    that has not exactly one From field (section 5.4).
    """
    ends = raw.count(b"\r\n")
    if raw.count(b"\n") != ends or raw.count(b"\r") != ends:
        raise SigningError("the message has line ends other than CRLF")
    message = Message(raw)
    if len(message.named(b"from")) != 1:
        raise SigningError("the message has not exactly one From field")
    names = signed_names(message)
    body = base64.b64encode(message.body_hash("relaxed", None, "sha256")).decode("ascii")
    fields: list[bytes] = []
    for key in keys:
        tags = [
            ("v", "1"),
            ("a", key.algorithm),
            ("b", ""),
            ("bh", body),
            ("c", "relaxed/relaxed"),
            ("d", key.domain),
            ("h", ":".join(name.decode("ascii") for name in names)),
            ("s", key.selector),
            ("t", str(int(now.timestamp()))),
        ]
        selected = message.signed_fields(names, "relaxed", None)
        fields.append(signed_field(b"DKIM-Signature", tags, selected, key))
    return b"".join(fields)


def signed_names(message: Message) -> tuple[bytes, ...]:
    """Return h= for `message`: what is over-signed, then what else it has to sign."""
    names: list[bytes] = []
    for name in OVERSIGNED:
        names += [name] * (len(message.named(name)) + 1)
    for name in SIGNED:
        names += [name] * len(message.named(name))
    return tuple(names)


def signed_field(
    name: bytes,
    tags: Sequence[tuple[str, str]],
    selected: bytes,
    key: SigningKey,
    *,
    fold_value: bool = True,
) -> bytes:
    """Return the signature field `name` with the value of b= filled in, CRLF at its end.

    `tags` are written in order, b= with an empty value; `selected` are the canonical fields that
    are signed before this one. Without `fold_value` b= is one word, however long.
    """
    empty = name + b": " + _folded(tags, fold_value) + b"\r\n"
    field = split_header(empty).fields[0]
    value = key.sign(selected + _without_value(field))
    text = base64.b64encode(value).decode("ascii")
    complete = [(tag, text if tag == "b" else content) for tag, content in tags]
    return name + b": " + _folded(complete, fold_value) + b"\r\n"


def _without_value(field: Field) -> bytes:
    tag = parse_tag_list(field.value)["b"]
    return without_signature(field, (tag.start, tag.end), "relaxed")


def _folded(tags: Sequence[tuple[str, str]], fold_value: bool) -> bytes:
    """Write tags separated by "; ", long values broken where white space does not count."""
    lines: list[str] = [""]
    for index, (name, value) in enumerate(tags):
        text = f"{name}={value}" + (";" if index < len(tags) - 1 else "")
        if lines[-1] and len(lines[-1]) + 1 + len(text) > _LINE:
            lines.append("")
        if name == "b":
            # Only here is white space free of meaning and of the signature (section 3.5).
            width = _LINE if fold_value else len(text)
            chunks = [text[at : at + width] for at in range(0, len(text), width)]
            lines[-1] += (" " if lines[-1] else "") + chunks[0]
            lines += chunks[1:]
        elif len(text) > _LINE and name == "h":
            lines += _names_in_lines(text)
        else:
            lines[-1] += (" " if lines[-1] else "") + text
    return "\r\n ".join(line for line in lines if line).encode("ascii")


def _names_in_lines(text: str) -> list[str]:
    lines: list[str] = [""]
    names = text.split(":")
    for index, name in enumerate(names):
        piece = name + (":" if index < len(names) - 1 else "")
        if lines[-1] and len(lines[-1]) + len(piece) > _LINE:
            lines.append("")
        lines[-1] += piece
    return lines


def _domain(domain: str) -> str:
    try:
        name = to_ascii(domain)
    except DomainError as error:
        raise SigningError(f"{domain!r} is no domain name") from error
    if "." not in name:
        raise SigningError(f"{domain!r} is no domain that can sign mail")
    return name


def _selector(selector: str) -> str:
    if any(not _SELECTOR.match(label) for label in selector.split(".")):
        raise SigningError(f"{selector!r} is no selector: use letters, digits, hyphens")
    return selector
