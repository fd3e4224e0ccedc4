"""Whether the client's name in DNS leads back to its address (RFC 8601 section 3)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal, NamedTuple, TypeAlias

from mail.authentication.dns import Answers, ask, names, need, question
from mail.authentication.reasons import Reason, in_words
from mail.authentication.spf import client_address

IprevResult: TypeAlias = Literal["none", "pass", "fail", "temperror", "permerror"]

_MAX_NAMES = 10


class IprevOutcome(NamedTuple):
    """What reverse DNS says of the client; "none" only when there was no client."""

    result: IprevResult
    reason: Reason
    words: str
    ip: str = ""
    name: str = ""
    """The confirmed name, or the first that was claimed."""


def check_iprev(client_ip: str | None, answers: Answers) -> IprevOutcome:
    """Look the client's names up and back. Raises `dns.Missing`."""
    if client_ip is None:
        reason = Reason.NO_CLIENT_ADDRESS
        return IprevOutcome("none", reason, in_words(reason))
    address = client_address(client_ip)
    ip = str(address)
    pointer = address.reverse_pointer
    answer = ask(answers, pointer, "PTR")
    if answer.failed:
        return _failed(ip, "PTR", pointer, answer.status)
    claimed = sorted({name.lower().removesuffix(".") for name in names(answer)})[:_MAX_NAMES]
    if not claimed:
        reason = Reason.IPREV_NO_NAME
        return IprevOutcome("permerror", reason, in_words(reason, ip=ip), ip)
    rrtype = "A" if address.version == 4 else "AAAA"
    failed: tuple[str, str] | None = None
    asked = [question(name, rrtype) for name in claimed]
    for index, name in enumerate(claimed):
        need(answers, asked[index:])
        forward = ask(answers, name, rrtype)
        if forward.failed:
            failed = failed or (name, forward.status)
        elif any(_is(text, ip) for text in names(forward)):
            reason = Reason.IPREV_CONFIRMED
            return IprevOutcome("pass", reason, in_words(reason, ip=ip, name=name), ip, name)
    if failed is not None:
        return _failed(ip, rrtype, *failed)
    reason = Reason.IPREV_NOT_CONFIRMED
    words = in_words(reason, ip=ip, name=claimed[0])
    return IprevOutcome("fail", reason, words, ip, claimed[0])


def _failed(ip: str, rrtype: str, name: str, status: str) -> IprevOutcome:
    reason = Reason.DNS_TIMEOUT if status == "timeout" else Reason.DNS_SERVFAIL
    return IprevOutcome("temperror", reason, in_words(reason, rrtype=rrtype, name=name), ip)


def _is(text: str, ip: str) -> bool:
    try:
        return str(ip_address(text)) == ip
    except ValueError:
        return False
