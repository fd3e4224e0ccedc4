"""The hosts that take the mail of a domain (RFC 5321 section 5.1, RFC 7505)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address

from mail.authentication.dns import Answer, Answers, Missing, ask, exchanges, names
from mail.authentication.domains import DomainError, to_ascii

MAX_HOSTS = 5
MAX_ADDRESSES = 10
"""How many are tried at most in one attempt; RFC 5321 section 5.1 wants two at least."""


class Unroutable(Exception):
    """No host can be tried now, or ever; `status` is an enhanced status code (RFC 3463)."""

    def __init__(self, reason: str, status: str) -> None:
        super().__init__(f"{reason} ({status})")
        self.reason = reason
        self.status = status

    @property
    def permanent(self) -> bool:
        """True when it is no use to try again."""
        return self.status.startswith("5")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A host and one address of it."""

    host: str
    address: str


def route(domain: str, answers: Answers, *, own: str, seed: str) -> list[Exchange]:
    """Return the hosts to try for mail to `domain`, best first.

    `own` is our host name: mail is never sent to it, nor to a host that is preferred less
    (RFC 5321 section 5.1, against loops). Hosts of equal preference are tried in an order that
    follows from `seed`, so that mails spread over them. Raises dns.Missing, Unroutable.
    """
    literal = _literal(domain)
    if literal:
        return [Exchange(domain, literal)]
    try:
        name = to_ascii(domain)
    except DomainError as e:
        raise Unroutable("bad-domain", "5.1.2") from e
    return _addresses(_hosts(name, ask(answers, name, "MX"), own.lower(), seed), answers)


def relayed(host: str, answers: Answers) -> list[Exchange]:
    """Return the addresses of a host that takes all our mail. Raises Missing, Unroutable."""
    literal = _literal(f"[{host.strip('[]')}]")
    return [Exchange(host, literal)] if literal else _addresses([host.lower()], answers)


def _hosts(name: str, answer: Answer, own: str, seed: str) -> list[str]:
    if answer.failed:
        raise Unroutable("dns", "4.4.3")
    if answer.status == "nxdomain":
        raise Unroutable("no-such-domain", "5.1.2")
    found = [(preference, host.lower().rstrip(".")) for preference, host in exchanges(answer)]
    if not found:
        # Section 5.1: without any MX record the domain itself is the host.
        return [name]
    if not any(host for _, host in found):
        # RFC 7505 section 3: "." says that no mail is taken; section 4.1: 5.1.10.
        raise Unroutable("null-mx", "5.1.10")
    ours = [preference for preference, host in found if host == own]
    usable = [(p, host) for p, host in found if host and (not ours or p < min(ours))]
    if not usable:
        raise Unroutable("loop", "5.4.6")
    order = sorted(usable, key=lambda one: (one[0], sha256(f"{seed} {one[1]}".encode()).digest()))
    return list(dict.fromkeys(host for _, host in order))[:MAX_HOSTS]


def _addresses(hosts: list[str], answers: Answers) -> list[Exchange]:
    found: list[Exchange] = []
    missing: list[Missing] = []
    failed = False
    for host in hosts:
        for rrtype in ("A", "AAAA"):
            try:
                answer = ask(answers, host, rrtype)
            except Missing as more:
                missing.append(more)
                continue
            failed = failed or answer.failed
            found += (Exchange(host, address) for address in names(answer))
    if missing:
        raise Missing(q for more in missing for q in more.questions)
    if found:
        return found[:MAX_ADDRESSES]
    raise Unroutable("dns", "4.4.3") if failed else Unroutable("no-host", "5.4.4")


def _literal(domain: str) -> str:
    """Return the address in a domain literal (RFC 5321 section 4.1.3), "" for a name."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return ""
    try:
        return str(ip_address(domain[1:-1].removeprefix("IPv6:")))
    except ValueError:
        return ""
