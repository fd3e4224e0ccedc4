"""Seal a message that is passed on to another domain (RFC 8617 section 5.1)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime

from mail.addresses import canonical_domain
from mail.authentication.arc import (
    MAX_SETS,
    RESULTS,
    SEAL,
    SIGNATURE,
    ArcOutcome,
    field_instance,
    highest_instance,
)
from mail.authentication.canonicalization import relaxed_field
from mail.authentication.message import Message
from mail.authentication.reasons import Reason
from mail.authentication.signing import SigningError, SigningKey, signed_field
from mail.fields import split_header
from mail.trace import authserv_id_of

SIGNED = (
    b"from",
    b"subject",
    b"to",
    b"cc",
    b"date",
    b"message-id",
    b"reply-to",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"dkim-signature",
)
"""What a message signature covers, as often as it occurs. Authentication-Results and ARC fields
MUST NOT be among them, DKIM signatures SHOULD (section 4.1.2)."""


def seal(
    raw: bytes,
    results: str,
    chain: ArcOutcome,
    key: SigningKey,
    now: datetime,
    names: Sequence[bytes] | None = None,
) -> bytes:
    """Return the three fields of a new ARC set, to be put in front of `raw`.

    `results` is the body of our Authentication-Results field, `chain` what validation found when
    the message came; all changes to the message must have been made (section 5.1 step 1). `names`
    replaces the list of signed fields. Returns nothing when the chain was already sealed as
    broken (step 2) or is full. Raises SigningError when the chain has failed without a number to
    go on from.
    """
    if chain.failed_before or chain.highest >= MAX_SETS:
        return b""
    if chain.result == "fail" and not chain.highest:
        raise SigningError("the chain has no instance that could be followed by another")
    message = Message(raw)
    instance = chain.highest + 1
    stamp = str(int(now.timestamp()))
    recorded = f"ARC-Authentication-Results: i={instance}; {results}\r\n".encode()
    wanted = tuple(names) if names is not None else _present(message)
    body = base64.b64encode(message.body_hash("relaxed", None, "sha256")).decode("ascii")
    tags = [
        ("a", key.algorithm),
        ("b", ""),
        ("bh", body),
        ("c", "relaxed/relaxed"),
        ("d", key.domain),
        ("h", ":".join(name.decode("ascii") for name in wanted)),
        ("i", str(instance)),
        ("s", key.selector),
        ("t", stamp),
    ]
    selected = message.signed_fields(wanted, "relaxed", None)
    # A later seal covers these fields with the white space that is in them: b= has none, so that
    # refolding on the way cannot break the chain.
    signature = signed_field(b"ARC-Message-Signature", tags, selected, key, fold_value=False)
    # Section 5.1.2: the seal of a broken chain covers its own set alone.
    earlier = b"" if chain.result == "fail" else _earlier(message, chain.highest)
    covered = earlier + _relaxed(recorded) + _relaxed(signature)
    seal_tags = [
        ("a", key.algorithm),
        ("b", ""),
        ("cv", chain.result),
        ("d", key.domain),
        ("i", str(instance)),
        ("s", key.selector),
        ("t", stamp),
    ]
    sealed = signed_field(b"ARC-Seal", seal_tags, covered, key, fold_value=False)
    return sealed + signature + recorded


def recorded_outcome(raw: bytes, result: str, reason: str, sealers: Sequence[str]) -> ArcOutcome:
    """Return what `seal` needs of a validation that was made and recorded earlier.

    `raw` is the message as it came; a result other than none and pass counts as fail.
    """
    told = Reason.ARC_FAILED_BEFORE if reason == Reason.ARC_FAILED_BEFORE else Reason.ARC_VALID
    if result == "none":
        return ArcOutcome("none", Reason.ARC_ABSENT, "")
    if result == "pass":
        return ArcOutcome("pass", told, "", tuple(sealers), (), len(sealers))
    before = told is Reason.ARC_FAILED_BEFORE
    return ArcOutcome("fail", told, "", tuple(sealers), (), highest_instance(raw), before)


def merged_results(raw: bytes, own_id: str) -> str:
    """Return one Authentication-Results body with all results that `raw` has under `own_id`.

    Section 4.1.1: one field combines the results of the whole domain.
    """
    payloads: list[str] = []
    for field in split_header(raw).fields:
        if field.name != b"authentication-results":
            continue
        if authserv_id_of(field.value) == canonical_domain(own_id):
            text = field.value.decode("utf-8", "replace")
            payloads.append(text.partition(";")[2].strip())
    return "; ".join((own_id, *payloads))


def _present(message: Message) -> tuple[bytes, ...]:
    return tuple(name for name in SIGNED for _ in message.named(name))


def _earlier(message: Message, highest: int) -> bytes:
    sets = {
        (field_instance(field, name), name): field
        for name in (RESULTS, SIGNATURE, SEAL)
        for field in message.named(name)
    }
    return b"".join(
        message.canonical_field(sets[instance, name], "relaxed")
        for instance in range(1, highest + 1)
        for name in (RESULTS, SIGNATURE, SEAL)
    )


def _relaxed(text: bytes) -> bytes:
    field = split_header(text).fields[0]
    return relaxed_field(field.name, field.value)
