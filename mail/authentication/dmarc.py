"""DMARC: does what was authenticated belong to the domain in From (RFC 9989).

The policy record and the Organizational Domains are found by the DNS Tree Walk; there is no
public suffix list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from mail.authentication.author import Author
from mail.authentication.dkim import DkimOutcome
from mail.authentication.dmarc_record import Alignment, DmarcRecord, Policy
from mail.authentication.dns import Answers, Missing, ask
from mail.authentication.domains import within
from mail.authentication.reasons import Reason, in_words
from mail.authentication.spf import SpfOutcome
from mail.authentication.tree_walk import WalkFailed, walk

DmarcResult: TypeAlias = Literal["none", "pass", "fail", "temperror", "permerror"]

MAX_AUTHOR_DOMAINS = 4
"""More domains in From are not judged one by one (section 11.5)."""

_SEVERITY: dict[Policy, int] = {"none": 0, "quarantine": 1, "reject": 2}
_WORST: dict[DmarcResult, int] = {"pass": 0, "none": 1, "permerror": 2, "temperror": 3, "fail": 4}


class DmarcOutcome(NamedTuple):
    """What DMARC says about one author domain, or about all of them."""

    result: DmarcResult
    reason: Reason
    words: str
    domain: str = ""
    """The author domain, A-labels."""
    policy: Policy | Literal[""] = ""
    """p= as published, empty when there is no usable record."""
    requested: Policy = "none"
    """What the record asks for this author domain on failure, after sp= and np=."""
    disposition: Policy = "none"
    """What applies to this message: `requested` on failure, one step lower with t=y."""
    policy_domain: str = ""
    """Where the record was found."""
    organizational_domain: str = ""
    spf_aligned: bool = False
    dkim_aligned: bool = False
    aligned_signers: tuple[str, ...] = ()
    """Domains of the signatures that pass and are aligned."""
    testing: bool = False
    """The record has t=y."""
    overridden_by: str = ""
    """The trusted ARC sealer because of which a failure has no consequence."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A domain that SPF or a signature proved, or could not decide about."""

    check: Literal["spf", "dkim"]
    domain: str
    proven: bool
    """False when the check ended in temperror."""


def identifiers(spf: SpfOutcome, dkim: Sequence[DkimOutcome]) -> tuple[Identifier, ...]:
    """Return the Authenticated Identifiers and the undecided ones (section 4.3)."""
    found: list[Identifier] = []
    # Section 3.2.4: the MAIL FROM identity, which for a null path is built from HELO.
    if spf.result in ("pass", "temperror"):
        found.append(Identifier("spf", spf.domain, spf.result == "pass"))
    for signature in dkim:
        if signature.authenticated:
            found.append(Identifier("dkim", signature.domain, True))
        elif signature.result == "temperror":
            found.append(Identifier("dkim", signature.domain, False))
    return tuple(dict.fromkeys(found))


def check_dmarc(author: Author, found: Sequence[Identifier], answers: Answers) -> DmarcOutcome:
    """Judge the From field of a message. Raises `dns.Missing`."""
    if author.fields == 0:
        reason = Reason.DMARC_NO_FROM
        return DmarcOutcome("permerror", reason, in_words(reason))
    judged = author.domains[:MAX_AUTHOR_DOMAINS]
    if author.well_formed and len(author.domains) <= MAX_AUTHOR_DOMAINS and judged:
        outcomes = _each([_Domain(domain, answers) for domain in judged], found)
        # Section 11.5: the strictest policy among the domains that fail.
        return max(outcomes, key=lambda o: (_WORST[o.result], _SEVERITY[o.disposition]))
    # Section 4.4: with a malformed or repeated From there is no alignment. What a reader could
    # take for the author is held against its own policy, as a failure.
    reason, facts = _malformed(author)
    seen = (*author.domains, *author.guessable)[:MAX_AUTHOR_DOMAINS]
    words = in_words(reason, **facts)
    if not seen:
        return DmarcOutcome("permerror", reason, words)
    outcomes = _each([_Domain(domain, answers) for domain in seen], ())
    worst = max(outcomes, key=lambda o: (_SEVERITY[o.disposition], _SEVERITY[o.requested]))
    return worst._replace(result="permerror", reason=reason, words=words)


def _malformed(author: Author) -> tuple[Reason, dict[str, object]]:
    if author.fields > 1:
        return Reason.DMARC_SEVERAL_FROM, {"count": author.fields}
    if author.well_formed and author.domains:
        count = len(author.domains)
        return Reason.DMARC_TOO_MANY_AUTHORS, {"count": count, "limit": MAX_AUTHOR_DOMAINS}
    return Reason.DMARC_NO_AUTHOR_DOMAIN, {}


def _each(domains: Sequence[_Domain], found: Sequence[Identifier]) -> list[DmarcOutcome]:
    outcomes: list[DmarcOutcome] = []
    missing: list[Missing] = []
    for domain in domains:
        try:
            outcomes.append(domain.judge(found))
        except Missing as more:
            missing.append(more)
    if missing:
        raise Missing(q for more in missing for q in more.questions)
    return outcomes


class _Domain:
    """One author domain against the identifiers (sections 5.3.2 to 5.3.6)."""

    def __init__(self, domain: str, answers: Answers) -> None:
        self._domain = domain
        self._answers = answers

    def judge(self, found: Sequence[Identifier]) -> DmarcOutcome:
        try:
            above = walk(self._domain, self._answers)
            step, organizational = above.policy, above.organizational_domain
        except WalkFailed as failure:
            # Section 4.10.2: with a record of its own, the author domain is aligned with itself
            # without a walk; what stands above it matters to other identifiers only.
            step = next(iter(failure.below.steps), None)
            if step is None or step.domain != self._domain:
                return self._temperror(failure)
            organizational = None
        if step is None:
            reason = Reason.DMARC_NO_RECORD
            return DmarcOutcome("none", reason, in_words(reason, domain=self._domain), self._domain)
        if not step.record.usable:
            # Section 4.10.1: no DMARC processing; section 9.2 names this permerror.
            reason = Reason.DMARC_RECORD_INVALID
            why = "it has no valid p=, sp= and np=, and no address for reports"
            words = in_words(reason, domain=step.domain, why=why)
            return DmarcOutcome("permerror", reason, words, self._domain)
        return self._apply(organizational, step.domain, step.record, found)

    def _apply(
        self,
        organizational: str | None,
        policy_domain: str,
        record: DmarcRecord,
        found: Sequence[Identifier],
    ) -> DmarcOutcome:
        aligned, undecided = self._alignment(organizational, record, found)
        spf = any(one.check == "spf" for one in aligned)
        dkim = any(one.check == "dkim" for one in aligned)
        common = DmarcOutcome(
            "pass",
            Reason.DMARC_ALIGNED_BOTH,
            "",
            self._domain,
            policy=record.published(),
            policy_domain=policy_domain,
            organizational_domain=organizational or "",
            spf_aligned=spf,
            dkim_aligned=dkim,
            aligned_signers=tuple(one.domain for one in aligned if one.check == "dkim"),
            testing=record.testing,
        )
        requested = self._requested(policy_domain, record)
        if aligned:
            return self._passed(common, aligned, requested or record.for_subdomain(exists=True))
        if undecided is not None:
            # Section 5.3.6: neither pass nor fail, and the policy cannot be applied.
            reason = Reason.DMARC_DEPENDENCY_ERROR
            check = "SPF" if undecided.check == "spf" else "DKIM"
            words = in_words(reason, check=check, identifier=undecided.domain)
            return common._replace(result="temperror", reason=reason, words=words)
        if requested is None:
            reason = Reason.DMARC_DEPENDENCY_ERROR
            words = in_words(reason, check="The existence test", identifier=self._domain)
            return common._replace(result="temperror", reason=reason, words=words)
        proven = [one.domain for one in found if one.proven]
        reason = Reason.DMARC_NOT_ALIGNED if proven else Reason.DMARC_NOT_AUTHENTICATED
        words = in_words(reason, domain=self._domain, identifiers=", ".join(dict.fromkeys(proven)))
        return common._replace(
            result="fail",
            reason=reason,
            words=words,
            requested=requested,
            disposition=_one_lower(requested) if record.testing else requested,
        )

    def _passed(
        self, common: DmarcOutcome, aligned: Sequence[Identifier], requested: Policy
    ) -> DmarcOutcome:
        if common.spf_aligned and common.dkim_aligned:
            reason = Reason.DMARC_ALIGNED_BOTH
        elif common.spf_aligned:
            reason = Reason.DMARC_ALIGNED_SPF
        else:
            reason = Reason.DMARC_ALIGNED_DKIM
        words = in_words(reason, domain=self._domain, identifier=aligned[0].domain)
        return common._replace(reason=reason, words=words, requested=requested)

    def _alignment(
        self, organizational: str | None, record: DmarcRecord, found: Sequence[Identifier]
    ) -> tuple[list[Identifier], Identifier | None]:
        """Return the aligned identifiers, and one that might be if DNS had answered."""
        aligned: list[Identifier] = []
        undecided: Identifier | None = None
        missing: list[Missing] = []
        for one in found:
            mode = record.spf_alignment if one.check == "spf" else record.dkim_alignment
            try:
                matches = self._aligned(one.domain, organizational, mode)
            except Missing as more:
                missing.append(more)
                continue
            if matches and one.proven:
                aligned.append(one)
            elif matches is not False:
                undecided = undecided or one
        if missing:
            raise Missing(q for more in missing for q in more.questions)
        return aligned, undecided

    def _aligned(self, domain: str, organizational: str | None, mode: Alignment) -> bool | None:
        """Tell whether `domain` is aligned with the author's; None when DNS does not tell."""
        if domain == self._domain:
            return True
        if mode == "s":
            return False
        if organizational is None:
            return None if _share_a_suffix(domain, self._domain) else False
        # An Organizational Domain is the domain or a parent of it: outside of the author's there
        # is nothing to look up.
        if not within(domain, organizational):
            return False
        try:
            return walk(domain, self._answers).organizational_domain == organizational
        except WalkFailed:
            return None

    def _requested(self, policy_domain: str, record: DmarcRecord) -> Policy | None:
        """Return the policy for this domain; None when its existence cannot be found out."""
        if policy_domain == self._domain:
            return record.published()
        existing = record.for_subdomain(exists=True)
        missing = record.for_subdomain(exists=False)
        if existing == missing:
            return existing
        # Section 3.2.13: NXDOMAIN means that it does not exist; any record type tells.
        answer = ask(self._answers, self._domain, "A")
        if answer.failed:
            return None
        return missing if answer.status == "nxdomain" else existing

    def _temperror(self, failure: WalkFailed) -> DmarcOutcome:
        timeout = failure.status == "timeout"
        reason = Reason.DNS_TIMEOUT if timeout else Reason.DNS_SERVFAIL
        words = in_words(reason, rrtype="TXT", name=failure.name)
        return DmarcOutcome("temperror", reason, words, self._domain)


def _share_a_suffix(one: str, other: str) -> bool:
    return one.rpartition(".")[2] == other.rpartition(".")[2]


def _one_lower(policy: Policy) -> Policy:
    # Section 4.7, t=y: the policy applied is one level below the specified one.
    return "quarantine" if policy == "reject" else "none"
