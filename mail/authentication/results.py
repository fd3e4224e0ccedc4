"""Our own Authentication-Results field (RFC 8601 section 2, RFC 6008, RFC 9989 section 9)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mail.authentication.arc import ArcOutcome
from mail.authentication.dkim import DkimOutcome
from mail.authentication.dmarc import DmarcOutcome
from mail.authentication.iprev import IprevOutcome
from mail.authentication.spf import SpfOutcome

# RFC 2045 section 5.1: a value is a token, or else a quoted string. "@" and "/" are left bare
# where a pvalue may be an address or base64.
_BARE = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]+\Z")
_MAILBOX_OR_DOMAIN = re.compile(r"(?:[A-Za-z0-9!#$%&'*+\-.^_`{|}~]*@)?[A-Za-z0-9_\-.]+\Z")
_NOT_SHOWN = re.compile("[^ -~]")
_NOT_IN_COMMENT = re.compile(r'[^ -~]|[()\\"]')
_LONGEST_VALUE = 300
_LONGEST_LINE = 76


def compose_results(
    authserv_id: str,
    spf: SpfOutcome,
    dkim: Sequence[DkimOutcome],
    arc: ArcOutcome,
    dmarc: DmarcOutcome,
    iprev: IprevOutcome,
) -> str:
    """Return the body of the field: no name, folded with CRLF and a space, printable ASCII."""
    results: list[list[str]] = []
    if iprev.result != "none":
        # Section 2.7.3: there is no "none".
        results.append([f"iprev={iprev.result}", *_property("policy.iprev", iprev.ip)])
    results.append([f"spf={spf.result}", *_property(f"smtp.{spf.identity}", spf.domain)])
    if not dkim:
        results.append(["dkim=none"])
    results += [_signature(one) for one in dkim]
    chain = [f"arc={arc.result}"]
    if arc.highest and arc.sealers:
        # RFC 8617 section 7.1 keeps "header.oldest-pass" and the like optional; who sealed last
        # is what an administrator looks for.
        chain.append(f"(i={arc.highest} {_comment(arc.sealers[-1])})")
    results.append(chain)
    results.append(_dmarc(dmarc))
    return _folded(_value(authserv_id), results)


def _signature(one: DkimOutcome) -> list[str]:
    words = [f"dkim={one.result}"]
    if one.result != "pass":
        words.append(f"({_comment(one.reason.value)})")
    words += _property("header.d", one.domain)
    words += _property("header.s", one.selector)
    words += _property("header.a", one.algorithm)
    words += _property("header.b", one.signature_start)
    return words


def _dmarc(dmarc: DmarcOutcome) -> list[str]:
    words = [f"dmarc={dmarc.result}"]
    if dmarc.policy:
        words.append(f"(p={dmarc.policy} dis={dmarc.disposition})")
    if dmarc.overridden_by:
        words.append(f'reason="arc override by {_comment(dmarc.overridden_by)}"')
    words += _property("header.from", dmarc.domain)
    if dmarc.policy:
        # RFC 9989 section 9.1: the policy that applies after all options were processed.
        words.append(f"policy.dmarc={dmarc.disposition}")
    return words


def _property(name: str, value: str) -> list[str]:
    return [f"{name}={_value(value)}"] if value else []


def _value(text: str) -> str:
    clean = _NOT_SHOWN.sub("?", text[:_LONGEST_VALUE])
    if _BARE.match(clean) or _MAILBOX_OR_DOMAIN.match(clean):
        return clean
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _comment(text: str) -> str:
    return _NOT_IN_COMMENT.sub("?", text[:80])


def _folded(head: str, results: Sequence[Sequence[str]]) -> str:
    lines = [head]
    for words in results:
        lines[-1] += ";"
        line = ""
        for word in words:
            if line and len(line) + 1 + len(word) > _LONGEST_LINE:
                lines.append(line)
                line = " " + word
            else:
                line = f"{line} {word}" if line else f" {word}"
        lines.append(line)
    return "\r\n".join(lines)
