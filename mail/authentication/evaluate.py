"""All checks of one message, as one pure function of message, envelope and DNS answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeVar

from mail.authentication.arc import ArcOutcome, check_arc, trusted_sealer
from mail.authentication.author import Author, read_author
from mail.authentication.dkim import DkimOutcome, DkimPolicy, check_dkim
from mail.authentication.dmarc import DmarcOutcome, check_dmarc, identifiers
from mail.authentication.dns import Answers, Missing
from mail.authentication.homographs import Suspicion, suspicions
from mail.authentication.iprev import IprevOutcome, check_iprev
from mail.authentication.message import Message
from mail.authentication.reasons import Reason, in_words
from mail.authentication.results import compose_results
from mail.authentication.spf import SpfOutcome, check_spf, spf_identity
from mail.authentication.tree_walk import WalkFailed, walk

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the SMTP session said, and who we are."""

    client_ip: str | None
    """Address of the client; None for mail that did not come over SMTP."""
    helo: str
    mail_from: str
    """The reverse-path without angle brackets, empty when it is null."""
    authserv_id: str
    """Our name in Authentication-Results (RFC 8601 section 2.5) and in SPF's %{r}."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """What the administrator of this installation decides."""

    dkim: DkimPolicy = field(default_factory=DkimPolicy)
    trusted_sealers: frozenset[str] = frozenset()
    """Domains whose ARC seals may override a DMARC failure; subdomains are included."""
    protected_domains: frozenset[str] = frozenset()
    """Domains that others should not be mistaken for, as our own."""


class Verdict(NamedTuple):
    """What is known about who sent a message."""

    spf: SpfOutcome
    dkim: tuple[DkimOutcome, ...]
    """One per signature in header order; empty for an unsigned message."""
    arc: ArcOutcome
    dmarc: DmarcOutcome
    iprev: IprevOutcome
    header_from: str
    """The author's domain as A-labels; empty when there is not exactly one."""
    suspicions: tuple[Suspicion, ...]
    """What the From field shows that may mislead a reader; for the score."""
    results_header: str
    """Body of our Authentication-Results field, folded with CRLF, no line end after it."""


def authenticate(
    raw: bytes,
    envelope: Envelope,
    answers: Answers,
    now: datetime,
    settings: AuthSettings | None = None,
) -> Verdict:
    """Judge a message. `now` is when it was received.

    Raises `dns.Missing`, with every question known to be open, when `answers` lacks something.
    Nothing else is raised: a defect in a check becomes its temperror with the reason `internal`.
    """
    return Evaluation(raw, envelope, now, settings).step(answers)


class Evaluation:
    """An evaluation that is repeated as answers come in.

    A check that has finished is not run again: its outcome is a function of answers that do not
    change any more.
    """

    def __init__(
        self,
        raw: bytes,
        envelope: Envelope,
        now: datetime,
        settings: AuthSettings | None = None,
    ) -> None:
        self._raw = raw
        self._envelope = envelope
        self._now = now
        self._settings = settings or AuthSettings()
        self._done: dict[str, object] = {}

    def step(self, answers: Answers) -> Verdict:
        """Run what has not finished. Raises `dns.Missing`."""
        missing: list[Missing] = []

        def attempt(name: str, check: Callable[[], _T], failed: Callable[[str], _T]) -> _T | None:
            if name not in self._done:
                try:
                    self._done[name] = check()
                except Missing as more:
                    missing.append(more)
                    return None
                except Exception as error:  # noqa: BLE001
                    # Mail must not stop because a check has a defect: whatever it is, this check
                    # has no result, and says so where an administrator looks.
                    self._done[name] = failed(type(error).__name__)
            return self._done[name]  # type: ignore[return-value]

        envelope, settings = self._envelope, self._settings
        message = attempt("message", lambda: Message(self._raw), lambda _: Message(b"")) or Message(
            b""
        )
        author = attempt(
            "author", lambda: read_author(message), lambda _: read_author(Message(b""))
        ) or read_author(Message(b""))
        spf = attempt(
            "spf",
            lambda: check_spf(
                envelope.client_ip,
                envelope.helo,
                envelope.mail_from,
                answers,
                receiver=envelope.authserv_id,
                now=self._now,
            ),
            lambda error: _failed_spf(envelope, error),
        )
        dkim = attempt(
            "dkim",
            lambda: check_dkim(message, answers, now=self._now, policy=settings.dkim),
            lambda error: (DkimOutcome("temperror", Reason.INTERNAL, _internal(error)),),
        )
        arc = attempt(
            "arc",
            lambda: check_arc(message, answers, policy=settings.dkim),
            lambda error: ArcOutcome("fail", Reason.INTERNAL, _internal(error)),
        )
        iprev = attempt(
            "iprev",
            lambda: check_iprev(envelope.client_ip, answers),
            lambda error: IprevOutcome("temperror", Reason.INTERNAL, _internal(error)),
        )
        if spf is None or dkim is None:
            # DMARC waits for both, but its own questions can be asked at once.
            missing += _walk_ahead(author, answers)
            raise _all(missing)
        dmarc = attempt(
            "dmarc",
            lambda: check_dmarc(author, identifiers(spf, dkim), answers),
            lambda error: DmarcOutcome("temperror", Reason.INTERNAL, _internal(error)),
        )
        if missing or arc is None or iprev is None or dmarc is None:
            raise _all(missing)
        return self._verdict(author, spf, dkim, arc, iprev, dmarc)

    def _verdict(
        self,
        author: Author,
        spf: SpfOutcome,
        dkim: tuple[DkimOutcome, ...],
        arc: ArcOutcome,
        iprev: IprevOutcome,
        dmarc: DmarcOutcome,
    ) -> Verdict:
        dmarc = _overridden(dmarc, arc, self._settings)
        dkim = tuple(
            one._replace(aligned=one.authenticated and one.domain in dmarc.aligned_signers)
            for one in dkim
        )
        single = len(author.domains) == 1 and author.well_formed
        return Verdict(
            spf=spf,
            dkim=dkim,
            arc=arc,
            dmarc=dmarc,
            iprev=iprev,
            header_from=author.domains[0] if single else "",
            suspicions=suspicions(author, self._settings.protected_domains),
            results_header=compose_results(
                self._envelope.authserv_id, spf, dkim, arc, dmarc, iprev
            ),
        )


def _overridden(dmarc: DmarcOutcome, arc: ArcOutcome, settings: AuthSettings) -> DmarcOutcome:
    """Let a trusted forwarder's seal take the consequence off a failure (RFC 8617 7.2.1).

    The result stays "fail": RFC 9989 section 5.4 makes this a local policy, to be named as such.
    """
    if dmarc.result != "fail":
        return dmarc
    sealer = trusted_sealer(arc, settings.trusted_sealers, dmarc.domain)
    if sealer is None:
        return dmarc
    reason = Reason.DMARC_ARC_OVERRIDE
    words = in_words(reason, domain=dmarc.domain, sealer=sealer)
    return dmarc._replace(disposition="none", reason=reason, words=words, overridden_by=sealer)


def _walk_ahead(author: Author, answers: Answers) -> list[Missing]:
    missing: list[Missing] = []
    for domain in author.domains[:1]:
        try:
            walk(domain, answers)
        except Missing as more:
            missing.append(more)
        except WalkFailed:
            continue
    return missing


def _all(missing: list[Missing]) -> Missing:
    return Missing(question for more in missing for question in more.questions)


def _internal(error: str) -> str:
    return in_words(Reason.INTERNAL, error=error)


def _failed_spf(envelope: Envelope, error: str) -> SpfOutcome:
    sender = spf_identity(envelope.mail_from, envelope.helo)
    return SpfOutcome(
        "temperror", sender.domain, Reason.INTERNAL, _internal(error), sender.identity
    )
