"""The public key record of a selector (RFC 6376 section 3.6.1, RFC 8463)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mail.authentication.message import HashName
from mail.authentication.taglist import TagListError, parse_tag_list

KeyType: TypeAlias = Literal["rsa", "ed25519"]

_PADDING: Final = PKCS1v15()
_PREHASHED: Final[dict[HashName, Prehashed]] = {
    "sha1": Prehashed(SHA1()),
    "sha256": Prehashed(SHA256()),
}


class KeyRecordError(ValueError):
    """The record is not a key record; `args[0]` says why."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key record without syntax errors."""

    kind: str
    """k=, lower case; may be a type that is not supported."""
    public: RSAPublicKey | Ed25519PublicKey | None
    """None when revoked, or when the type is not supported."""
    revoked: bool
    hashes: frozenset[str] | None
    """h=, or None when all are permitted."""
    services: frozenset[str]
    flags: frozenset[str]
    bits: int
    """Size of an RSA key in bits; 0 for other types."""

    def verifies(self, signature: bytes, digest: bytes, hash_name: HashName) -> bool:
        """Tell whether `signature` is one of `digest` made with this key."""
        try:
            if self.public is None:
                return False
            if self.bits:
                # The kind of a key was checked when it was read; asking its class again is slow.
                public = cast("RSAPublicKey", self.public)
                public.verify(signature, digest, _PADDING, _PREHASHED[hash_name])
            else:
                # RFC 8463 section 3: PureEdDSA over the SHA-256 digest.
                cast("Ed25519PublicKey", self.public).verify(signature, digest)
        except InvalidSignature:
            return False
        return True


def parse_key(text: bytes) -> KeyRecord:
    """Parse a key record. Raises KeyRecordError."""
    return _kept(text) if len(text) <= _LONGEST_KEPT else _parsed(text)


def _parsed(text: bytes) -> KeyRecord:
    try:
        tags = parse_tag_list(text)
        version = tags.get("v")
        if version is not None and (version.value != b"DKIM1" or next(iter(tags)) != "v"):
            raise KeyRecordError("its version is not DKIM1, or not at the beginning")
        if "p" not in tags:
            raise KeyRecordError("it has no p= tag")
        kind = tags["k"].text.lower() if "k" in tags else "rsa"
        data = tags["p"].octets()
    except TagListError as error:
        raise KeyRecordError(str(error)) from error
    public = _public(kind, data) if data else None
    return KeyRecord(
        kind=kind,
        public=public,
        bits=public.key_size if isinstance(public, RSAPublicKey) else 0,
        revoked=not data,
        hashes=frozenset(tags["h"].items()) if "h" in tags else None,
        services=frozenset(tags["s"].items()) if "s" in tags else frozenset("*"),
        flags=frozenset(tags["t"].items()) if "t" in tags else frozenset(),
    )


# Records of the size in use are parsed once; what is larger is not worth the memory.
_LONGEST_KEPT = 2048
_kept = lru_cache(maxsize=1024)(_parsed)


def _public(kind: str, data: bytes) -> RSAPublicKey | Ed25519PublicKey | None:
    try:
        if kind == "ed25519":
            # RFC 8463 section 4: the 32 octets themselves, without ASN.1 around them.
            return Ed25519PublicKey.from_public_bytes(data)
        if kind == "rsa":
            # In use are SubjectPublicKeyInfo and, as the RFC says, RSAPublicKey; both load.
            loaded = load_der_public_key(data)
            if isinstance(loaded, RSAPublicKey):
                return loaded
            raise KeyRecordError("its key is not an RSA key")
    except (ValueError, UnsupportedAlgorithm) as error:
        if isinstance(error, KeyRecordError):
            raise
        raise KeyRecordError("its key cannot be read") from error
    return None
