"""The closed list of reasons for a verdict, each with the sentence an administrator reads.

A code is kept in the event in the clear and never changes its meaning; the sentence may name
domains and addresses and is sealed.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final


@unique
class Reason(StrEnum):
    """Why a check came to its result."""

    # every check
    INTERNAL = "internal"
    DNS_TIMEOUT = "dns_timeout"
    DNS_SERVFAIL = "dns_servfail"
    NO_CLIENT_ADDRESS = "no_client_address"

    # SPF (RFC 7208)
    SPF_MATCH = "spf_match"
    SPF_NO_MATCH = "spf_no_match"
    SPF_NO_DOMAIN = "spf_no_domain"
    SPF_NO_RECORD = "spf_no_record"
    SPF_SEVERAL_RECORDS = "spf_several_records"
    SPF_SYNTAX = "spf_syntax"
    SPF_TOO_MANY_LOOKUPS = "spf_too_many_lookups"
    SPF_TOO_MANY_VOID_LOOKUPS = "spf_too_many_void_lookups"
    SPF_TOO_MANY_EXCHANGES = "spf_too_many_exchanges"
    SPF_INCLUDE_WITHOUT_RECORD = "spf_include_without_record"
    SPF_REDIRECT_WITHOUT_RECORD = "spf_redirect_without_record"

    # DKIM (RFC 6376, 8301, 8463)
    DKIM_VERIFIED = "dkim_verified"
    DKIM_UNSIGNED = "dkim_unsigned"
    DKIM_TESTING = "dkim_testing"
    DKIM_SYNTAX = "dkim_syntax"
    DKIM_VERSION = "dkim_version"
    DKIM_TAG_MISSING = "dkim_tag_missing"
    DKIM_ALGORITHM = "dkim_algorithm"
    DKIM_CANONICALIZATION = "dkim_canonicalization"
    DKIM_QUERY = "dkim_query"
    DKIM_FROM_UNSIGNED = "dkim_from_unsigned"
    DKIM_IDENTITY = "dkim_identity"
    DKIM_EXPIRED = "dkim_expired"
    DKIM_FUTURE = "dkim_future"
    DKIM_BODY_SHORT = "dkim_body_short"
    DKIM_BODY_PARTLY_SIGNED = "dkim_body_partly_signed"
    DKIM_HEADER_REPEATED = "dkim_header_repeated"
    DKIM_BODY_HASH = "dkim_body_hash"
    DKIM_SIGNATURE = "dkim_signature"
    DKIM_NO_KEY = "dkim_no_key"
    DKIM_KEY_REVOKED = "dkim_key_revoked"
    DKIM_KEY_SYNTAX = "dkim_key_syntax"
    DKIM_KEY_TYPE = "dkim_key_type"
    DKIM_KEY_HASH = "dkim_key_hash"
    DKIM_KEY_SERVICE = "dkim_key_service"
    DKIM_KEY_IDENTITY = "dkim_key_identity"
    DKIM_KEY_SHORT = "dkim_key_short"
    DKIM_SHA1 = "dkim_sha1"
    DKIM_TOO_MANY = "dkim_too_many"

    # ARC (RFC 8617)
    ARC_VALID = "arc_valid"
    ARC_ABSENT = "arc_absent"
    ARC_TOO_LONG = "arc_too_long"
    ARC_INCOMPLETE = "arc_incomplete"
    ARC_SYNTAX = "arc_syntax"
    ARC_CHAIN_VALUE = "arc_chain_value"
    ARC_FAILED_BEFORE = "arc_failed_before"
    ARC_MESSAGE_SIGNATURE = "arc_message_signature"
    ARC_SEAL = "arc_seal"

    # DMARC (RFC 9989)
    DMARC_ALIGNED_SPF = "dmarc_aligned_spf"
    DMARC_ALIGNED_DKIM = "dmarc_aligned_dkim"
    DMARC_ALIGNED_BOTH = "dmarc_aligned_both"
    DMARC_NOT_ALIGNED = "dmarc_not_aligned"
    DMARC_NOT_AUTHENTICATED = "dmarc_not_authenticated"
    DMARC_NO_RECORD = "dmarc_no_record"
    DMARC_RECORD_INVALID = "dmarc_record_invalid"
    DMARC_NO_FROM = "dmarc_no_from"
    DMARC_NO_AUTHOR_DOMAIN = "dmarc_no_author_domain"
    DMARC_SEVERAL_FROM = "dmarc_several_from"
    DMARC_TOO_MANY_AUTHORS = "dmarc_too_many_authors"
    DMARC_ARC_OVERRIDE = "dmarc_arc_override"
    DMARC_DEPENDENCY_ERROR = "dmarc_dependency_error"

    # reverse DNS (RFC 8601 section 2.7.3)
    IPREV_CONFIRMED = "iprev_confirmed"
    IPREV_NO_NAME = "iprev_no_name"
    IPREV_NOT_CONFIRMED = "iprev_not_confirmed"

    # what the From field shows (RFC 5890, Unicode TS 39)
    FROM_MIXED_SCRIPTS = "from_mixed_scripts"
    FROM_LOOKALIKE = "from_lookalike"
    FROM_BAD_PUNYCODE = "from_bad_punycode"
    FROM_INVISIBLE = "from_invisible"
    FROM_NAME_SHOWS_ADDRESS = "from_name_shows_address"


_R = Reason

WORDS: Final[dict[Reason, str]] = {
    _R.INTERNAL: "The check itself failed ({error}); the message was not judged by it.",
    _R.DNS_TIMEOUT: "DNS did not answer the {rrtype} query for {name} in time.",
    _R.DNS_SERVFAIL: "DNS answered the {rrtype} query for {name} with an error.",
    _R.NO_CLIENT_ADDRESS: "The message did not come over SMTP, so there is no client to check.",
    _R.SPF_MATCH: "{ip} matches {term} in the SPF record of {domain}: {meaning}.",
    _R.SPF_NO_MATCH: (
        "Nothing in the SPF record of {domain} matches {ip}, so it says neither yes nor no."
    ),
    _R.SPF_NO_DOMAIN: "{domain} is not a domain name that could publish an SPF record.",
    _R.SPF_NO_RECORD: "{domain} publishes no SPF record.",
    _R.SPF_SEVERAL_RECORDS: "{domain} publishes {count} SPF records; only one is allowed.",
    _R.SPF_SYNTAX: "The SPF record of {domain} has a syntax error in {term}: {why}.",
    _R.SPF_TOO_MANY_LOOKUPS: "The SPF record of {domain} needs more than {limit} DNS lookups.",
    _R.SPF_TOO_MANY_VOID_LOOKUPS: (
        "More than {limit} names in the SPF record of {domain} do not exist or have no address."
    ),
    _R.SPF_TOO_MANY_EXCHANGES: "{term} in an SPF record names a domain with over {limit} MX hosts.",
    _R.SPF_INCLUDE_WITHOUT_RECORD: (
        "The SPF record of {domain} includes {target}, which publishes no SPF record."
    ),
    _R.SPF_REDIRECT_WITHOUT_RECORD: (
        "The SPF record of {domain} redirects to {target}, which publishes no SPF record."
    ),
    _R.DKIM_VERIFIED: "The signature of {domain} verifies with key {selector}.",
    _R.DKIM_UNSIGNED: "The message has no DKIM signature.",
    _R.DKIM_TESTING: (
        "The signature verifies, but {domain} marks key {selector} as a test (t=y), "
        "which makes the message count as unsigned."
    ),
    _R.DKIM_SYNTAX: "The DKIM-Signature field is malformed: {why}.",
    _R.DKIM_VERSION: "The DKIM-Signature field has version {version}; only 1 is defined.",
    _R.DKIM_TAG_MISSING: "The DKIM-Signature field lacks the required tag {tag}=.",
    _R.DKIM_ALGORITHM: "The signature algorithm {algorithm} is not supported.",
    _R.DKIM_CANONICALIZATION: "The canonicalization {method} is not defined.",
    _R.DKIM_QUERY: "The signature names no key lookup method that is defined (q={method}).",
    _R.DKIM_FROM_UNSIGNED: "The signature does not cover the From field.",
    _R.DKIM_IDENTITY: "The identity {identity} is not within the signing domain {domain}.",
    _R.DKIM_EXPIRED: "The signature expired (x={expires}) before the message was received.",
    _R.DKIM_FUTURE: "The signature says that it was made in the future (t={signed}).",
    _R.DKIM_BODY_SHORT: "The signature covers {length} octets; the body has {size}.",
    _R.DKIM_BODY_PARTLY_SIGNED: (
        "The signature verifies but covers only {length} of {size} octets of the body."
    ),
    _R.DKIM_HEADER_REPEATED: (
        "The signature verifies, but the message has {count} {field} fields and not all of them "
        "are signed, so a reader may see one that is not."
    ),
    _R.DKIM_BODY_HASH: "The body was changed after signing: its hash is not the one signed.",
    _R.DKIM_SIGNATURE: (
        "A signed header field was changed after signing, or the key is not the signer's."
    ),
    _R.DKIM_NO_KEY: "There is no key at {name}.",
    _R.DKIM_KEY_REVOKED: "The key at {name} was revoked.",
    _R.DKIM_KEY_SYNTAX: "The key record at {name} is malformed: {why}.",
    _R.DKIM_KEY_TYPE: "The key at {name} is of type {key}, the signature is {algorithm}.",
    _R.DKIM_KEY_HASH: "The key at {name} does not permit the hash of {algorithm}.",
    _R.DKIM_KEY_SERVICE: "The key at {name} is not for electronic mail.",
    _R.DKIM_KEY_IDENTITY: "The key at {name} does not permit subdomains (t=s), as in {identity}.",
    _R.DKIM_KEY_SHORT: "The RSA key at {name} has {bits} bits; fewer than {limit} prove nothing.",
    _R.DKIM_SHA1: "The signature of {domain} uses SHA-1, which must not be trusted (RFC 8301).",
    _R.DKIM_TOO_MANY: "Only the first {limit} signatures of a message are judged.",
    _R.ARC_VALID: "The chain of {count} ARC sets verifies; it was last sealed by {sealer}.",
    _R.ARC_ABSENT: "The message has no ARC sets.",
    _R.ARC_TOO_LONG: "The message has more than {limit} ARC sets.",
    _R.ARC_INCOMPLETE: "ARC set {instance} is incomplete or doubled: {why}.",
    _R.ARC_SYNTAX: "ARC set {instance} is malformed: {why}.",
    _R.ARC_CHAIN_VALUE: "The seal of ARC set {instance} has cv={value}.",
    _R.ARC_FAILED_BEFORE: "{sealer} already found the ARC chain broken (set {instance}).",
    _R.ARC_MESSAGE_SIGNATURE: "The message signature of ARC set {instance} fails: {why}",
    _R.ARC_SEAL: "The seal of ARC set {instance} fails: {why}",
    _R.DMARC_ALIGNED_SPF: "SPF passed for {identifier}, which aligns with {domain}.",
    _R.DMARC_ALIGNED_DKIM: "A DKIM signature of {identifier} passed, which aligns with {domain}.",
    _R.DMARC_ALIGNED_BOTH: "SPF and a DKIM signature passed, both aligned with {domain}.",
    _R.DMARC_NOT_ALIGNED: (
        "What passed ({identifiers}) does not belong to {domain}, the domain in From."
    ),
    _R.DMARC_NOT_AUTHENTICATED: "Neither SPF nor a DKIM signature passed for {domain}.",
    _R.DMARC_NO_RECORD: "{domain} and its parent domains publish no DMARC record.",
    _R.DMARC_RECORD_INVALID: "The DMARC record of {domain} cannot be used: {why}.",
    _R.DMARC_NO_FROM: "The message has no From field.",
    _R.DMARC_NO_AUTHOR_DOMAIN: "No domain can be read from the From field.",
    _R.DMARC_SEVERAL_FROM: "The message has {count} From fields; exactly one is allowed.",
    _R.DMARC_TOO_MANY_AUTHORS: "The From field names {count} domains, more than {limit}.",
    _R.DMARC_ARC_OVERRIDE: (
        "DMARC fails for {domain}, but {sealer}, which is trusted, sealed that it passed before "
        "the message was forwarded."
    ),
    _R.DMARC_DEPENDENCY_ERROR: (
        "{check} could not be finished for {identifier}, so DMARC can neither pass nor fail."
    ),
    _R.IPREV_CONFIRMED: "{ip} is called {name}, and {name} has that address.",
    _R.IPREV_NO_NAME: "{ip} has no name in DNS.",
    _R.IPREV_NOT_CONFIRMED: "{ip} is called {name}, but that name does not have this address.",
    _R.FROM_MIXED_SCRIPTS: "The domain {domain} mixes letters of several scripts in {label}.",
    _R.FROM_LOOKALIKE: "The domain {domain} can be mistaken for {target}.",
    _R.FROM_BAD_PUNYCODE: "{label} in the domain {domain} is not a valid internationalised label.",
    _R.FROM_INVISIBLE: "The From field holds characters that cannot be seen or that turn its text.",
    _R.FROM_NAME_SHOWS_ADDRESS: (
        "The name in From shows the address {shown}, but the message is from {address}."
    ),
}

_LONGEST_FACT = 200


def in_words(reason: Reason, **facts: object) -> str:
    """Return the sentence of `reason` with `facts` filled in.

    Facts come from the message and from DNS: control characters are replaced, so that a sentence
    is one line wherever it is shown, and each fact is cut at 200 characters.
    """
    shown = {name: _printable(fact) for name, fact in facts.items()}
    return WORDS[reason].format_map(shown)


def _printable(fact: object) -> str:
    text = str(fact)
    if len(text) > _LONGEST_FACT:
        text = text[:_LONGEST_FACT] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "�" for c in text)
