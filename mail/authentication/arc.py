"""ARC: the chain of those who passed a message on, and what each had found (RFC 8617)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from mail.authentication.dkim import DkimPolicy, verify
from mail.authentication.dns import Answers, Missing, ask, texts
from mail.authentication.domains import within
from mail.authentication.key import KeyRecordError, parse_key
from mail.authentication.message import Message
from mail.authentication.reasons import Reason, in_words
from mail.authentication.results_field import AuthResults, ResultsError, parse_results
from mail.authentication.signature import (
    SignatureError,
    parse_signature,
    signer,
    without_signature,
)
from mail.authentication.taglist import Tag, TagListError, parse_tag_list
from mail.fields import Field

ArcResult: TypeAlias = Literal["none", "pass", "fail"]

MAX_SETS = 50
"""RFC 8617 section 4.2.1."""

RESULTS = b"arc-authentication-results"
SIGNATURE = b"arc-message-signature"
SEAL = b"arc-seal"

_INSTANCE = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,3})[ \t\r\n]*;")
_ALGORITHMS = ("rsa-sha256", "ed25519-sha256")
_MAX_KEY_RECORDS = 4


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One link of a valid chain."""

    instance: int
    sealer: str
    """d= of the seal."""
    results: AuthResults | None
    """What the sealer had found when the message came to it; None when that is malformed."""


class ArcOutcome(NamedTuple):
    """The Chain Validation Status (section 4.4)."""

    result: ArcResult
    reason: Reason
    words: str
    sealers: tuple[str, ...] = ()
    """d= of the seals, oldest first, as far as they could be read."""
    sets: tuple[ArcSet, ...] = ()
    """The links, oldest first; empty unless the chain is valid."""
    highest: int = 0
    """The highest instance found."""
    failed_before: bool = False
    """The newest seal says that the chain was broken already (section 5.1, step 2)."""


class _ChainFails(Exception):
    def __init__(self, reason: Reason, **facts: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.words = in_words(reason, **facts)


@dataclass(frozen=True, slots=True)
class _Link:
    instance: int
    results: Field
    signature: Field
    seal: Field
    tags: Mapping[str, Tag]


def check_arc(message: Message, answers: Answers, *, policy: DkimPolicy) -> ArcOutcome:
    """Validate the chain of `message` (section 5.2). Raises `dns.Missing`."""
    fields = {name: message.named(name) for name in (RESULTS, SIGNATURE, SEAL)}
    if not any(fields.values()):
        return ArcOutcome("none", Reason.ARC_ABSENT, in_words(Reason.ARC_ABSENT))
    highest = 0
    sealers: tuple[str, ...] = ()
    try:
        if max(len(found) for found in fields.values()) > MAX_SETS:
            raise _ChainFails(Reason.ARC_TOO_LONG, limit=MAX_SETS)
        numbered = {name: _numbered(found, name) for name, found in fields.items()}
        highest = max(max(found, default=0) for found in numbered.values())
        links = _links(numbered, highest)
        sealers = tuple(link.tags["d"].text.lower() for link in links if "d" in link.tags)
        _chain_values(links)
        _verify_all(links, message, answers, policy)
    except _ChainFails as failure:
        before = failure.reason is Reason.ARC_FAILED_BEFORE
        return ArcOutcome("fail", failure.reason, failure.words, sealers, (), highest, before)
    sets = tuple(ArcSet(link.instance, signer_of(link), _results(link)) for link in links)
    reason = Reason.ARC_VALID
    words = in_words(reason, count=len(sets), sealer=sets[-1].sealer)
    return ArcOutcome("pass", reason, words, tuple(s.sealer for s in sets), sets, highest)


def trusted_sealer(outcome: ArcOutcome, trusted: Collection[str], author_domain: str) -> str | None:
    """Return the sealer whose word may override a DMARC failure, or None.

    The chain must be valid, and every sealer from the one that saw DMARC pass for
    `author_domain` up to the last must be trusted: each of them could have changed the message.
    """
    if outcome.result != "pass":
        return None
    for link in reversed(outcome.sets):
        if not any(within(link.sealer, domain) for domain in trusted):
            return None
        if link.results is not None and _passed_dmarc(link.results, author_domain):
            return link.sealer
    return None


def _passed_dmarc(results: AuthResults, author_domain: str) -> bool:
    for found in results.results:
        if found.method == "dmarc" and found.result == "pass":
            claimed = dict(found.properties).get("header.from", author_domain)
            return claimed.lower() == author_domain
    return False


def signer_of(link: _Link) -> str:
    """Return d= of the seal as A-labels."""
    return signer(dict(link.tags))[0]


def _numbered(fields: Sequence[Field], name: bytes) -> dict[int, Field]:
    """Map instance to field (section 5.2, steps 3A and 3B)."""
    found: dict[int, Field] = {}
    for field in fields:
        instance = field_instance(field, name)
        if instance in found:
            raise _ChainFails(
                Reason.ARC_INCOMPLETE, instance=instance, why=f"two {name.decode()} fields"
            )
        found[instance] = field
    return found


def field_instance(field: Field, name: bytes) -> int:
    """Return i= of an ARC field called `name`; only valid for fields of a chain that was read."""
    if name == RESULTS:
        match = _INSTANCE.match(field.value)
        number = match[1] if match else b""
    else:
        try:
            tag = parse_tag_list(field.value).get("i")
        except TagListError as error:
            raise _ChainFails(Reason.ARC_SYNTAX, instance="?", why=error) from error
        number = tag.value if tag else b""
    # Section 4.2.1: 1 to 50.
    if not number.isdigit() or len(number) > 3 or not 1 <= int(number) <= MAX_SETS:
        shown = number.decode("ascii", "replace") or "?"
        raise _ChainFails(Reason.ARC_SYNTAX, instance=shown, why="i= is no number from 1 to 50")
    return int(number)


def highest_instance(raw: bytes) -> int:
    """Return the highest instance in a message; 0 when its ARC fields can't be numbered."""
    message = Message(raw)
    try:
        numbered = [_numbered(message.named(n), n) for n in (RESULTS, SIGNATURE, SEAL)]
    except _ChainFails:
        return 0
    return max(max(found, default=0) for found in numbered)


def _links(numbered: Mapping[bytes, Mapping[int, Field]], highest: int) -> list[_Link]:
    newest = numbered[SEAL].get(highest)
    if newest is not None:
        tags = _seal_tags(newest, highest)
        if tags["cv"].value.lower() == b"fail":
            # Step 2 comes before the structure is looked at.
            sealer = tags["d"].text
            raise _ChainFails(Reason.ARC_FAILED_BEFORE, sealer=sealer, instance=highest)
    links: list[_Link] = []
    for instance in range(1, highest + 1):
        for name, found in numbered.items():
            if instance not in found:
                raise _ChainFails(
                    Reason.ARC_INCOMPLETE, instance=instance, why=f"no {name.decode()} field"
                )
        seal = numbered[SEAL][instance]
        tags = _seal_tags(seal, instance)
        results, signature = numbered[RESULTS][instance], numbered[SIGNATURE][instance]
        links.append(_Link(instance, results, signature, seal, tags))
    return links


def _seal_tags(seal: Field, instance: int) -> dict[str, Tag]:
    try:
        tags = parse_tag_list(seal.value)
        for name in ("a", "b", "cv", "d", "s"):
            if name not in tags:
                raise TagListError(f"the seal lacks {name}=")
        # Section 4.1.3: h= is not allowed in a seal.
        if "h" in tags:
            raise TagListError("the seal has h=")
        if tags["a"].text.lower() not in _ALGORITHMS:
            raise TagListError(f"the algorithm {tags['a'].text} is not supported")
        if "t" in tags and not (tags["t"].value.isdigit() and len(tags["t"].value) <= 12):
            raise TagListError("t= is no number")
        signer(tags)
    except (TagListError, SignatureError) as error:
        why = error.words if isinstance(error, SignatureError) else str(error)
        raise _ChainFails(Reason.ARC_SYNTAX, instance=instance, why=why) from error
    return tags


def _chain_values(links: Sequence[_Link]) -> None:
    # Step 3C: none in the first seal, pass in all others.
    for link in links:
        value = link.tags["cv"].value.lower()
        if value != (b"none" if link.instance == 1 else b"pass"):
            shown = value.decode("ascii", "replace")
            raise _ChainFails(Reason.ARC_CHAIN_VALUE, instance=link.instance, value=shown)


def _verify_all(
    links: Sequence[_Link], message: Message, answers: Answers, policy: DkimPolicy
) -> None:
    """Steps 4 and 6: the newest message signature, then the seals from the newest down."""
    missing: list[Missing] = []
    try:
        _verify_signature(links[-1], message, answers, policy)
    except Missing as more:
        missing.append(more)
    for link in reversed(links):
        try:
            _verify_seal(link, links, message, answers, policy)
        except Missing as more:
            missing.append(more)
    if missing:
        raise Missing(q for more in missing for q in more.questions)


def _verify_signature(link: _Link, message: Message, answers: Answers, policy: DkimPolicy) -> None:
    reason = Reason.ARC_MESSAGE_SIGNATURE
    try:
        signature = parse_signature(link.signature, arc=True)
    except SignatureError as error:
        raise _ChainFails(reason, instance=link.instance, why=error.words) from error
    # Section 4.1.2: seals MUST NOT be signed; a seal is added after the signature.
    if SEAL in signature.names:
        raise _ChainFails(reason, instance=link.instance, why="It covers a seal.")
    verdict = verify(signature, message, answers, policy)
    if verdict.result != "pass":
        # Section 5.2.1: every failure is permanent, those of DNS included.
        raise _ChainFails(reason, instance=link.instance, why=verdict.words)


def _verify_seal(
    link: _Link,
    links: Sequence[_Link],
    message: Message,
    answers: Answers,
    policy: DkimPolicy,
) -> None:
    domain, selector = signer(dict(link.tags))
    name = f"{selector}._domainkey.{domain}"
    answer = ask(answers, name, "TXT")
    why = in_words(Reason.DKIM_SIGNATURE)
    if answer.failed:
        reason = Reason.DNS_TIMEOUT if answer.status == "timeout" else Reason.DNS_SERVFAIL
        why = in_words(reason, rrtype="TXT", name=name)
    elif not texts(answer):
        why = in_words(Reason.DKIM_NO_KEY, name=name)
    else:
        signed = seal_octets(
            [(one.results, one.signature, one.seal) for one in links[: link.instance]],
            (link.tags["b"].start, link.tags["b"].end),
            message,
        )
        key_type = link.tags["a"].text.lower().partition("-")[0]
        for record in texts(answer)[:_MAX_KEY_RECORDS]:
            try:
                if _seal_verifies(record, link.tags["b"].octets(), signed, key_type, policy):
                    return
            except (KeyRecordError, TagListError) as error:
                why = in_words(Reason.DKIM_KEY_SYNTAX, name=name, why=error)
    raise _ChainFails(Reason.ARC_SEAL, instance=link.instance, why=why)


def _seal_verifies(
    record: bytes, value: bytes, signed: bytes, key_type: str, policy: DkimPolicy
) -> bool:
    key = parse_key(record)
    if key.kind != key_type or key.public is None:
        return False
    if key.bits and key.bits < policy.min_rsa_bits:
        return False
    return key.verifies(value, hashlib.sha256(signed).digest(), "sha256")


def seal_octets(
    sets: Sequence[tuple[Field, Field, Field]], span: tuple[int, int], message: Message
) -> bytes:
    """Return what a seal signs: all sets up to its own, relaxed, its b= empty (section 5.1.1)."""
    signed: list[bytes] = []
    for results, signature, seal in sets:
        signed.append(message.canonical_field(results, "relaxed"))
        signed.append(message.canonical_field(signature, "relaxed"))
        if seal is sets[-1][2]:
            signed.append(without_signature(seal, span, "relaxed"))
        else:
            signed.append(message.canonical_field(seal, "relaxed"))
    return b"".join(signed)


def _results(link: _Link) -> AuthResults | None:
    text = link.results.value.decode("utf-8", "replace")
    try:
        return parse_results(text.partition(";")[2])
    except ResultsError:
        return None
