"""DKIM: which domains take responsibility for a message (RFC 6376, 8301, 8463).

Every signature is judged on its own. `result` is one of RFC 8601 section 2.7.1; "policy" is a
signature that is not accepted although it may verify: a weak algorithm or key, or a signature
that does not cover what a reader sees.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from mail.authentication.dns import Answers, Missing, ask, texts
from mail.authentication.key import KeyRecord, KeyRecordError, parse_key
from mail.authentication.message import Message
from mail.authentication.reasons import Reason, in_words
from mail.authentication.signature import Signature, SignatureError, parse_signature

DkimResult: TypeAlias = Literal[
    "none", "pass", "fail", "policy", "neutral", "temperror", "permerror"
]

_MAX_KEY_RECORDS = 4

# Fields that a reader is shown, or that decide what is shown, and that may occur once only
# (RFC 5322 section 3.6, RFC 2045 section 3).
SINGLETONS = frozenset(
    (
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"subject",
        b"date",
        b"message-id",
        b"in-reply-to",
        b"references",
        b"mime-version",
        b"content-type",
        b"content-transfer-encoding",
    )
)


@dataclass(frozen=True, slots=True)
class DkimPolicy:
    """Which signatures are accepted."""

    min_rsa_bits: int = 1024
    """RFC 8301 section 3.2: shorter keys MUST NOT be considered valid."""
    allow_sha1: bool = False
    """RFC 8301 section 3.1: rsa-sha1 MUST NOT be used for verifying."""
    max_signatures: int = 20


class DkimOutcome(NamedTuple):
    """What one signature proves."""

    result: DkimResult
    reason: Reason
    words: str
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    identity: str = ""
    signature_start: str = ""
    """The first octets of b=, which tell signatures apart (RFC 6008)."""
    authenticated: bool = False
    """True when the domain is an Authenticated Identifier for DMARC: pass, and not a test key."""
    aligned: bool = False
    """True when the domain is aligned with the author's; known after DMARC."""


def check_dkim(
    message: Message, answers: Answers, *, now: datetime, policy: DkimPolicy
) -> tuple[DkimOutcome, ...]:
    """Judge every DKIM-Signature of `message`, in header order.

    `now` is when the message was received. Raises `dns.Missing` naming all keys not yet known.
    """
    fields = message.named(b"dkim-signature")
    outcomes: list[DkimOutcome] = []
    missing: list[Missing] = []
    for field in fields[: policy.max_signatures]:
        try:
            signature = parse_signature(field)
        except SignatureError as error:
            outcomes.append(
                DkimOutcome("permerror", error.reason, error.words, error.signer, error.selector)
            )
            continue
        try:
            outcomes.append(_judge(signature, message, answers, now, policy))
        except Missing as more:
            missing.append(more)
    if missing:
        raise Missing(q for more in missing for q in more.questions)
    if len(fields) > policy.max_signatures:
        reason = Reason.DKIM_TOO_MANY
        outcomes.append(
            DkimOutcome("policy", reason, in_words(reason, limit=policy.max_signatures))
        )
    return tuple(outcomes)


def _judge(
    signature: Signature, message: Message, answers: Answers, now: datetime, policy: DkimPolicy
) -> DkimOutcome:
    verdict = verify(signature, message, answers, policy)
    if (
        verdict.result == "pass"
        and signature.expires_at is not None
        and now.timestamp() > signature.expires_at
    ):
        # Section 6.1.1: PERMFAIL (signature expired).
        verdict = _verdict("permerror", Reason.DKIM_EXPIRED, expires=signature.expires_at)
    elif verdict.result == "pass":
        verdict = _covered(signature, message) or verdict
    if verdict.result == "pass" and verdict.testing:
        facts = {"domain": signature.domain, "selector": signature.selector}
        verdict = _verdict("pass", Reason.DKIM_TESTING, testing=True, **facts)
    return DkimOutcome(
        verdict.result,
        verdict.reason,
        verdict.words,
        signature.domain,
        signature.selector,
        signature.algorithm,
        signature.identity,
        _start(signature),
        # Section 3.6.1, t=y: not to be treated differently from unsigned mail.
        authenticated=verdict.result == "pass" and not verdict.testing,
    )


class Verification(NamedTuple):
    """The result of verifying one signature against its key."""

    result: DkimResult
    reason: Reason
    words: str
    testing: bool = False


def _verdict(
    result: DkimResult, reason: Reason, *, testing: bool = False, **facts: object
) -> Verification:
    return Verification(result, reason, in_words(reason, **facts), testing)


def verify(
    signature: Signature, message: Message, answers: Answers, policy: DkimPolicy
) -> Verification:
    """Verify `signature` over `message`. Raises `dns.Missing` when its key is not known.

    Used for ARC message signatures too; time and coverage are not looked at.
    """
    if signature.hash_name == "sha1" and not policy.allow_sha1:
        return _verdict("policy", Reason.DKIM_SHA1, domain=signature.domain)
    name = signature.key_name
    answer = ask(answers, name, "TXT")
    if answer.failed:
        timeout = answer.status == "timeout"
        reason = Reason.DNS_TIMEOUT if timeout else Reason.DNS_SERVFAIL
        return _verdict("temperror", reason, rrtype="TXT", name=name)
    records = texts(answer)
    if not records:
        return _verdict("permerror", Reason.DKIM_NO_KEY, name=name)
    # Section 6.1.2 step 4: with several records the verifier may try each; one that verifies
    # counts, otherwise what the first has to say.
    first: Verification | None = None
    for record in records[:_MAX_KEY_RECORDS]:
        verdict = _try_key(record, signature, message, policy)
        if verdict.result == "pass":
            return verdict
        first = first or verdict
    assert first is not None
    return first


def _try_key(
    record: bytes, signature: Signature, message: Message, policy: DkimPolicy
) -> Verification:
    name = signature.key_name
    try:
        key = parse_key(record)
    except KeyRecordError as error:
        return _verdict("permerror", Reason.DKIM_KEY_SYNTAX, name=name, why=error)
    refused = _unsuitable(key, signature, policy)
    if refused is not None:
        return refused
    size = len(message.canonical_body(signature.body_method))
    if signature.length is not None and signature.length > size:
        # Section 3.5: l= MUST NOT be larger than the body.
        return _verdict("permerror", Reason.DKIM_BODY_SHORT, length=signature.length, size=size)
    digest = message.body_hash(signature.body_method, signature.length, signature.hash_name)
    if digest != signature.body_hash:
        return _verdict("fail", Reason.DKIM_BODY_HASH)
    header = hashlib.new(
        signature.hash_name, signature.signed_octets(message), usedforsecurity=False
    ).digest()
    if not key.verifies(signature.value, header, signature.hash_name):
        return _verdict("fail", Reason.DKIM_SIGNATURE)
    facts = {"domain": signature.domain, "selector": signature.selector}
    return _verdict("pass", Reason.DKIM_VERIFIED, testing="y" in key.flags, **facts)


def _unsuitable(key: KeyRecord, signature: Signature, policy: DkimPolicy) -> Verification | None:
    # The order of section 6.1.2, steps 6 to 8.
    name = signature.key_name
    algorithm = signature.algorithm
    if not key.services & {"*", "email"}:
        return _verdict("permerror", Reason.DKIM_KEY_SERVICE, name=name)
    if key.hashes is not None and signature.hash_name not in key.hashes:
        return _verdict("permerror", Reason.DKIM_KEY_HASH, name=name, algorithm=algorithm)
    if key.revoked:
        return _verdict("permerror", Reason.DKIM_KEY_REVOKED, name=name)
    if key.kind != signature.key_type or key.public is None:
        return _verdict(
            "permerror", Reason.DKIM_KEY_TYPE, name=name, key=key.kind, algorithm=algorithm
        )
    if "s" in key.flags and signature.identity_domain != signature.domain:
        identity = signature.identity
        return _verdict("permerror", Reason.DKIM_KEY_IDENTITY, name=name, identity=identity)
    if key.bits and key.bits < policy.min_rsa_bits:
        return _verdict(
            "policy", Reason.DKIM_KEY_SHORT, name=name, bits=key.bits, limit=policy.min_rsa_bits
        )
    return None


def _covered(signature: Signature, message: Message) -> Verification | None:
    """Return why the signature does not cover what a reader sees, or None when it does."""
    for name, count in message.repeated().items():
        # Section 8.15: readers differ in which of several instances they show.
        if name in SINGLETONS and signature.names.count(name) < count:
            shown = name.decode("ascii").title()
            return _verdict("policy", Reason.DKIM_HEADER_REPEATED, field=shown, count=count)
    if signature.length is not None:
        size = len(message.canonical_body(signature.body_method))
        if signature.length < size:
            # Section 8.2: what stands behind the signed part can hide it from the reader.
            return _verdict(
                "policy", Reason.DKIM_BODY_PARTLY_SIGNED, length=signature.length, size=size
            )
    return None


def _start(signature: Signature) -> str:
    start, end = signature.value_span
    packed = b"".join(signature.field.value[start:end].split())
    return packed[:8].decode("ascii", "replace")
