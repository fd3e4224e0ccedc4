"""SPF: may this client send mail for this domain (RFC 7208).

`check_spf` is a pure function. It reads DNS through `dns.ask`; on a miss it names the question
and those that the following terms of the same record will need, so that one round of resolving
answers a whole record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal, NamedTuple, NoReturn, TypeAlias

from mail.authentication.dns import (
    Answer,
    Answers,
    Missing,
    Question,
    ask,
    askable,
    exchanges,
    names,
    need,
    question,
    texts,
)
from mail.authentication.domains import DomainError, to_ascii, within
from mail.authentication.reasons import Reason, in_words
from mail.authentication.spf_macro import MacroError, MacroString, parse_explanation
from mail.authentication.spf_record import (
    Directive,
    Qualified,
    SpfRecord,
    SpfSyntaxError,
    is_spf,
    parse_spf,
)

SpfResult: TypeAlias = Literal[
    "none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"
]
"""RFC 7208 section 2.6."""

MAX_LOOKUPS = 10
"""Terms that cause DNS lookups (RFC 7208 section 4.6.4)."""
MAX_VOID_LOOKUPS = 2
"""Terms whose lookup finds nothing (RFC 7208 section 4.6.4)."""
MAX_NAMES = 10
"""Hosts looked up for one "mx", and for one "ptr" or %{p} (RFC 7208 section 4.6.4)."""
_LONGEST_EXPLANATION = 500
_MEANING: dict[Qualified, str] = {
    "pass": "the client may send mail for it",
    "fail": "the client may not send mail for it",
    "softfail": "the client probably may not send mail for it",
    "neutral": "it says neither yes nor no",
}


class SpfOutcome(NamedTuple):
    """What SPF says about the client."""

    result: SpfResult
    domain: str
    """The domain that was checked: of the reverse-path, or the HELO name when that is null."""
    reason: Reason
    words: str
    identity: Literal["mailfrom", "helo"] = "mailfrom"
    explanation: str = ""
    """What the domain owner says about a fail (exp=), printable ASCII; theirs, not ours."""


@dataclass(frozen=True, slots=True)
class SpfIdentity:
    """The arguments of check_host() that come from the SMTP session."""

    local: str
    domain: str
    identity: Literal["mailfrom", "helo"]


def spf_identity(mail_from: str, helo: str) -> SpfIdentity:
    """Return whom to check: the reverse-path, or postmaster at HELO when it is null.

    RFC 7208 section 2.4; a missing local-part is "postmaster" (section 4.3).
    """
    if not mail_from or mail_from == "<>":
        return SpfIdentity("postmaster", _ascii(helo), "helo")
    local, at, domain = mail_from.rpartition("@")
    if not at:
        return SpfIdentity("postmaster", _ascii(mail_from), "mailfrom")
    return SpfIdentity(local or "postmaster", _ascii(domain), "mailfrom")


def check_spf(
    client_ip: str | None,
    helo: str,
    mail_from: str,
    answers: Answers,
    *,
    receiver: str,
    now: datetime,
) -> SpfOutcome:
    """Check `client_ip` against the SPF policy of the sender's domain.

    `mail_from` is the reverse-path without angle brackets, empty when it is null. Raises
    `dns.Missing` when `answers` lacks what the evaluation needs.
    """
    sender = spf_identity(mail_from, helo)
    if client_ip is None:
        reason = Reason.NO_CLIENT_ADDRESS
        return SpfOutcome("none", sender.domain, reason, in_words(reason), sender.identity)
    # RFC 7208 section 4.3: a malformed or single-label domain gives "none" at once.
    if not _multi_label(sender.domain):
        reason = Reason.SPF_NO_DOMAIN
        words = in_words(reason, domain=sender.domain or "The empty string")
        return SpfOutcome("none", sender.domain, reason, words, sender.identity)
    host = _CheckHost(client_ip, helo, sender, answers, receiver, now)
    try:
        found = host.check(sender.domain, None)
    except _Stop as stop:
        found = _Found(stop.result, stop.reason, stop.words)
    explanation = ""
    if found.result == "fail" and found.explained_by is not None:
        explanation = host.explain(found.explained_by, found.domain)
    return SpfOutcome(
        found.result, sender.domain, found.reason, found.words, sender.identity, explanation
    )


class _Found(NamedTuple):
    result: SpfResult
    reason: Reason
    words: str
    explained_by: MacroString | None = None
    domain: str = ""


class _Stop(Exception):
    """Ends the evaluation with an error result."""

    def __init__(self, result: Literal["temperror", "permerror"], reason: Reason, words: str):
        super().__init__(words)
        self.result: SpfResult = result
        self.reason = reason
        self.words = words


def _permerror(reason: Reason, **facts: object) -> NoReturn:
    raise _Stop("permerror", reason, in_words(reason, **facts))


def _ascii(domain: str) -> str:
    try:
        return to_ascii(domain)
    except DomainError:
        return domain.strip().lower()


def _multi_label(domain: str) -> bool:
    try:
        return "." in to_ascii(domain)
    except DomainError:
        return False


@lru_cache(maxsize=1024)
def client_address(text: str) -> IPv4Address | IPv6Address:
    """Read a client address; an IPv4-mapped IPv6 address is the IPv4 address (section 5)."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class _CheckHost:
    """One evaluation of check_host() with its counters (RFC 7208 section 4)."""

    def __init__(
        self,
        client_ip: str,
        helo: str,
        sender: SpfIdentity,
        answers: Answers,
        receiver: str,
        now: datetime,
    ) -> None:
        self._ip = client_address(client_ip)
        self._address_type = "A" if self._ip.version == 4 else "AAAA"
        self._helo = helo
        self._sender = sender
        self._answers = answers
        self._receiver = receiver
        self._now = now
        self._lookups = 0
        self._voids = 0

    def check(self, domain: str, via: tuple[Reason, str] | None) -> _Found:
        """Evaluate the record of `domain`; `via` says what to report when it has none."""
        answer = self._must(domain, "TXT")
        records = [text for text in texts(answer) if is_spf(text)]
        if not records:
            if via is not None:
                _permerror(via[0], domain=via[1], target=domain)
            reason = Reason.SPF_NO_RECORD
            return _Found("none", reason, in_words(reason, domain=domain))
        if len(records) > 1:
            # RFC 7208 section 4.5.
            _permerror(Reason.SPF_SEVERAL_RECORDS, domain=domain, count=len(records))
        try:
            record = parse_spf(records[0])
        except SpfSyntaxError as error:
            _permerror(Reason.SPF_SYNTAX, domain=domain, term=error.term, why=error.why)
        return self._evaluate(record, domain)

    def explain(self, spec: MacroString, domain: str) -> str:
        """Return the explanation of a fail; any error gives an empty one (section 6.2)."""
        answer = ask(self._answers, spec.name(self._values(domain)), "TXT")
        found = texts(answer)
        if len(found) != 1:
            return ""
        try:
            parsed = parse_explanation(found[0].decode("ascii"))
        except (UnicodeDecodeError, MacroError):
            return ""
        text = parsed.expand(self._values(domain))
        if not text.isascii() or not text.isprintable():
            return ""
        return text[:_LONGEST_EXPLANATION]

    def _evaluate(self, record: SpfRecord, domain: str) -> _Found:
        for index, directive in enumerate(record.directives):
            try:
                matched = self._matches(directive, domain)
            except Missing as missing:
                ahead = self._ahead(record.directives[index + 1 :], domain)
                raise Missing((*missing.questions, *ahead)) from None
            if matched:
                reason = Reason.SPF_MATCH
                facts = {"term": directive.text, "meaning": _MEANING[directive.result]}
                words = in_words(reason, ip=self._ip, domain=domain, **facts)
                return _Found(directive.result, reason, words, record.explanation, domain)
        # RFC 7208 section 6.1: redirect counts only when nothing matched; "all" always matches.
        if record.redirect is not None:
            self._count_lookup()
            target = record.redirect.name(self._values(domain))
            return self.check(target, (Reason.SPF_REDIRECT_WITHOUT_RECORD, domain))
        reason = Reason.SPF_NO_MATCH
        return _Found("neutral", reason, in_words(reason, ip=self._ip, domain=domain))

    def _matches(self, directive: Directive, domain: str) -> bool:
        if directive.kind == "all":
            return True
        if directive.network is not None:
            return self._ip.version == directive.network.version and self._ip in directive.network
        self._count_lookup()
        target = domain
        if directive.domain is not None:
            target = directive.domain.name(self._values(domain))
        match directive.kind:
            case "include":
                found = self.check(target, (Reason.SPF_INCLUDE_WITHOUT_RECORD, domain))
                return found.result == "pass"
            case "a":
                return self._any_within(names(self._void(target, self._address_type)), directive)
            case "mx":
                return self._mx(target, directive)
            case "exists":
                # RFC 7208 section 5.7: an A lookup even when the client is on IPv6.
                return self._void(target, "A").status == "noerror"
            case _:
                names_of_client = self._validated_names(target)
                self._count_void(ask(self._answers, self._ip.reverse_pointer, "PTR"))
                return any(within(name, target) for name in names_of_client)

    def _mx(self, target: str, directive: Directive) -> bool:
        hosts = exchanges(self._void(target, "MX"))
        if len(hosts) > MAX_NAMES:
            _permerror(Reason.SPF_TOO_MANY_EXCHANGES, term=directive.text, limit=MAX_NAMES)
        asked = [question(host, self._address_type) for _, host in sorted(hosts)]
        for index, host in enumerate(asked):
            need(self._answers, asked[index:])
            if host.name and self._any_within(names(self._must(*host)), directive):
                return True
        return False

    def _validated_names(self, preferred: str) -> list[str]:
        """Return the names of the client that resolve back to it (RFC 7208 section 5.5)."""
        pointers = ask(self._answers, self._ip.reverse_pointer, "PTR")
        # RFC 7208 section 4.6.4: PTR records beyond the first ten are ignored. They are sorted so
        # that the order of an answer does not change a verdict, those wanted first.
        found = dict.fromkeys(name.lower().removesuffix(".") for name in names(pointers))
        ordered = sorted(found, key=lambda name: (not within(name, preferred), name))[:MAX_NAMES]
        asked = [question(name, self._address_type) for name in ordered]
        validated: list[str] = []
        for index, host in enumerate(asked):
            need(self._answers, asked[index:])
            # RFC 7208 section 5.5: a name whose lookup fails is skipped.
            addresses = names(ask(self._answers, *host))
            if any(_same(address, self._ip) for address in addresses):
                validated.append(host.name)
        return validated

    def _any_within(self, addresses: Sequence[str], directive: Directive) -> bool:
        width, prefix = 32, directive.prefix4
        if self._ip.version == 6:
            width, prefix = 128, directive.prefix6
        shift = width - prefix
        mine = int(self._ip) >> shift
        for text in addresses:
            try:
                address = ip_address(text)
            except ValueError:
                continue
            if address.version == self._ip.version and int(address) >> shift == mine:
                return True
        return False

    def _must(self, name: str, rrtype: str) -> Answer:
        answer = ask(self._answers, name, rrtype)
        if answer.failed:
            # RFC 7208 sections 4.4 and 5: a server error or timeout ends in temperror.
            timeout = answer.status == "timeout"
            reason = Reason.DNS_TIMEOUT if timeout else Reason.DNS_SERVFAIL
            raise _Stop("temperror", reason, in_words(reason, rrtype=rrtype, name=name))
        return answer

    def _void(self, name: str, rrtype: str) -> Answer:
        answer = self._must(name, rrtype)
        self._count_void(answer)
        return answer

    def _count_void(self, answer: Answer) -> None:
        if answer.void:
            self._voids += 1
            if self._voids > MAX_VOID_LOOKUPS:
                _permerror(
                    Reason.SPF_TOO_MANY_VOID_LOOKUPS,
                    domain=self._sender.domain,
                    limit=MAX_VOID_LOOKUPS,
                )

    def _count_lookup(self) -> None:
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            _permerror(Reason.SPF_TOO_MANY_LOOKUPS, domain=self._sender.domain, limit=MAX_LOOKUPS)

    def _ahead(self, directives: Sequence[Directive], domain: str) -> list[Question]:
        """Return what the next terms will ask, up to the first that surely decides."""
        asked: list[Question] = []
        for directive in directives[: MAX_LOOKUPS - self._lookups]:
            if directive.kind == "all" or (
                directive.network is not None and self._matches(directive, domain)
            ):
                break
            rrtype = {"include": "TXT", "a": self._address_type, "mx": "MX"}.get(directive.kind)
            if rrtype is None:
                # exists and ptr are asked only in their turn: such queries can be counted by
                # their owner, and they cost the most.
                continue
            target = domain
            if directive.domain is not None:
                if "p" in directive.domain.letters:
                    continue
                target = directive.domain.name(self._values(domain))
            asked.append(question(target, rrtype))
        return [q for q in asked if askable(q.name) and q not in self._answers]

    def _values(self, domain: str) -> _Values:
        return _Values(self, domain)

    def value(self, letter: str, domain: str) -> str:
        """Return the value of a macro letter (RFC 7208 section 7.2)."""
        match letter:
            case "s":
                return f"{self._sender.local}@{self._sender.domain}"
            case "l":
                return self._sender.local
            case "o":
                return self._sender.domain
            case "d":
                return domain
            case "i":
                return str(self._ip) if self._ip.version == 4 else _nibbles(self._ip)
            case "p":
                return self._validated_name(domain)
            case "v":
                return "in-addr" if self._ip.version == 4 else "ip6"
            case "h":
                return self._helo
            case "c":
                return str(self._ip)
            case "t":
                return str(int(self._now.timestamp()))
            case _:
                return self._receiver or "unknown"

    def _validated_name(self, domain: str) -> str:
        validated = self._validated_names(domain)
        if domain in validated:
            return domain
        return validated[0] if validated else "unknown"


@dataclass(frozen=True, slots=True)
class _Values:
    host: _CheckHost
    domain: str

    def __call__(self, letter: str, /) -> str:
        return self.host.value(letter, self.domain)


def _nibbles(address: IPv4Address | IPv6Address) -> str:
    return ".".join(re.sub(":", "", address.exploded)).upper()


def _same(text: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return ip_address(text) == address
    except ValueError:
        return False
