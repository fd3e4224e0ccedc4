"""The DNS Tree Walk: which DMARC records stand above a domain (RFC 9989 section 4.10)."""

from __future__ import annotations

from typing import NamedTuple

from mail.authentication.dmarc_record import DmarcRecord, find_record
from mail.authentication.dns import Answers, ask, need, question, texts

_MOST_LABELS = 8


class Step(NamedTuple):
    """A DMARC record met on the way up."""

    domain: str
    record: DmarcRecord


class Walk(NamedTuple):
    """The records found from `domain` upwards, the longest name first."""

    domain: str
    steps: tuple[Step, ...]

    @property
    def organizational_domain(self) -> str:
        """The Organizational Domain of `domain` (section 4.10.2)."""
        for name, record in self.steps:
            if record.psd == "n":
                return name
            if record.psd == "y" and name != self.domain:
                # One label below the public suffix.
                below = self.domain.removesuffix("." + name)
                return f"{below.rpartition('.')[2]}.{name}"
        return self.steps[-1].domain if self.steps else self.domain

    @property
    def policy(self) -> Step | None:
        """The record that applies to mail from `domain` (section 4.10.1).

        Its own, else that of the Organizational Domain, else that of the public suffix.
        """
        wanted = (self.domain, self.organizational_domain)
        for domain in wanted:
            for step in self.steps:
                if step.domain == domain:
                    return step
        return next((step for step in self.steps if step.record.psd == "y"), None)


class WalkFailed(Exception):
    """DNS failed for `name`, so that nothing from there upwards is certain."""

    def __init__(self, name: str, status: str, below: Walk) -> None:
        super().__init__(name)
        self.name = name
        self.status = status
        self.below = below
        """What was found before the failure."""


def walk_targets(domain: str) -> list[str]:
    """Return the domains whose records a walk from `domain` asks for, in order; at most 8."""
    labels = domain.split(".")
    # Steps 3 and 4: beyond eight labels the walk skips to the last seven.
    above = labels[-(_MOST_LABELS - 1) :] if len(labels) >= _MOST_LABELS else labels[1:]
    return [domain, *(".".join(above[index:]) for index in range(len(above)))]


def walk(domain: str, answers: Answers) -> Walk:
    """Walk up from `domain` (A-labels).

    Raises `dns.Missing` with all questions of the walk that are open, and WalkFailed.
    """
    targets = walk_targets(domain)
    asked = [question(f"_dmarc.{target}", "TXT") for target in targets]
    steps: list[Step] = []
    for index, target in enumerate(targets):
        need(answers, asked[index:])
        answer = ask(answers, *asked[index])
        if answer.failed:
            raise WalkFailed(asked[index].name, answer.status, Walk(domain, tuple(steps)))
        record = find_record(texts(answer))
        if record is None:
            continue
        steps.append(Step(target, record))
        if record.psd != "u":
            break
    return Walk(domain, tuple(steps))
