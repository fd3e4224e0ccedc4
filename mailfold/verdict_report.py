"""A verdict as `mailfold check` shows it: one JSON document, or lines for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mail.authentication.evaluate import Verdict
from mail.authentication.spf import SpfOutcome


def spf_document(spf: SpfOutcome) -> dict[str, Any]:
    """Return SPF as JSON types. `reason` is a sentence, `code` its entry in the closed list."""
    return {
        "result": spf.result,
        "domain": spf.domain,
        "identity": spf.identity,
        "reason": spf.words,
        "code": spf.reason.value,
        "explanation": spf.explanation,
    }


def document(verdict: Verdict) -> dict[str, Any]:
    """Return a whole verdict as JSON types, signatures in header order."""
    dmarc = verdict.dmarc
    return {
        "spf": spf_document(verdict.spf),
        "dkim": [
            {
                "result": one.result,
                "domain": one.domain,
                "selector": one.selector,
                "algorithm": one.algorithm,
                "aligned": one.aligned,
                "reason": one.words,
                "code": one.reason.value,
            }
            for one in verdict.dkim
        ],
        "arc": {
            "result": verdict.arc.result,
            "sealers": list(verdict.arc.sealers),
            "reason": verdict.arc.words,
            "code": verdict.arc.reason.value,
        },
        "dmarc": {
            "result": dmarc.result,
            "policy": dmarc.policy or "none",
            "requested": dmarc.requested,
            "disposition": dmarc.disposition,
            "domain": dmarc.domain,
            "policyDomain": dmarc.policy_domain,
            "organizationalDomain": dmarc.organizational_domain,
            "spfAligned": dmarc.spf_aligned,
            "dkimAligned": dmarc.dkim_aligned,
            "reason": dmarc.words,
            "code": dmarc.reason.value,
        },
        "iprev": {
            "result": verdict.iprev.result,
            "name": verdict.iprev.name,
            "reason": verdict.iprev.words,
            "code": verdict.iprev.reason.value,
        },
        "from": {
            "domain": verdict.header_from,
            "suspicions": [
                {"reason": one.words, "code": one.reason.value} for one in verdict.suspicions
            ],
        },
        "authenticationResults": verdict.results_header,
    }


def spf_lines(spf: SpfOutcome) -> Iterator[str]:
    """Yield SPF for a person."""
    yield _line("SPF", spf.result, spf.words)
    if spf.explanation:
        # RFC 7208 section 6.2: it must be clear that a third party says this.
        yield f"              {spf.domain} explains: {spf.explanation}"


def lines(verdict: Verdict) -> Iterator[str]:
    """Yield a whole verdict for a person."""
    yield from spf_lines(verdict.spf)
    for one in verdict.dkim:
        yield _line("DKIM", one.result, one.words)
    if not verdict.dkim:
        yield _line("DKIM", "none", "The message has no DKIM signature.")
    yield _line("ARC", verdict.arc.result, verdict.arc.words)
    yield _line("DMARC", verdict.dmarc.result, verdict.dmarc.words)
    if verdict.dmarc.policy:
        found = verdict.dmarc
        yield f"              policy {found.policy} at {found.policy_domain}: {found.disposition}"
    if verdict.iprev.result != "none":
        yield _line("iprev", verdict.iprev.result, verdict.iprev.words)
    for suspicion in verdict.suspicions:
        yield _line("From", "beware", suspicion.words)


def _line(check: str, result: str, words: str) -> str:
    return f"{check:<5} {result:<9} {words}".rstrip()
