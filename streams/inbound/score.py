"""The score step: rules to a verdict.

The rules' weights add up; a sum of 5 (the customary bound of rule-based filters) is a probability
of 0.9, the threshold, and each point more or less moves the logit by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from infra.ports import Random
from schemas.events import Received, Scored
from schemas.identity import event_id
from schemas.parts import RuleHit, ScoredSecret, Verdict
from schemas.seal import seal
from streams.inbound.rules import RULES, Facts, Rule

MODEL_ID = "rules-1"
THRESHOLD = 0.9
_SUM_AT_THRESHOLD = 5.0
_LOGIT_AT_THRESHOLD = math.log(THRESHOLD / (1 - THRESHOLD))


@dataclass(frozen=True, slots=True)
class Score:
    """Verdict with all that it rests on; `reasons` are sentences, one for each rule."""

    verdict: Verdict
    probability: float
    logit: float
    rules: tuple[RuleHit, ...]
    reasons: tuple[str, ...]


def score(facts: Facts, rules: Sequence[Rule] = RULES) -> Score:
    """Return the score of a mail by `rules`."""
    hits = [r for r in rules if r.test(facts)]
    logit = sum(r.weight for r in hits) - _SUM_AT_THRESHOLD + _LOGIT_AT_THRESHOLD
    probability = 1 / (1 + math.exp(-logit))
    # Compared on the logit: at the threshold itself the probability is a rounding error off.
    spam = logit >= _LOGIT_AT_THRESHOLD - 1e-9
    return Score(
        verdict="spam" if spam else "ham",
        probability=probability,
        logit=logit,
        rules=tuple(RuleHit(code=r.name, weight=r.weight) for r in hits),
        reasons=tuple(r.reason for r in hits),
    )


def event(received: Received, found: Score, key: bytes, random: Random) -> Scored:
    """Return the Scored event of a mail, its reasons sealed."""
    identity = event_id(received.event_id, "scored")
    secret = ScoredSecret(logit=found.logit, reasons=list(found.reasons))
    return Scored(
        event_id=identity,
        mail_id=received.mail_id,
        occurred_at=received.occurred_at,
        caused_by=received.event_id,
        verdict=found.verdict,
        probability=found.probability,
        threshold=THRESHOLD,
        rules=list(found.rules),
        model_id=MODEL_ID,
        sealed=seal(secret, key, identity, random),
    )


def unknown(received: Received, key: bytes, reason: str, random: Random) -> Scored:
    """Return the Scored event of a mail that could not be scored; `reason` is a code."""
    identity = event_id(received.event_id, "scored")
    return Scored(
        event_id=identity,
        mail_id=received.mail_id,
        occurred_at=received.occurred_at,
        caused_by=received.event_id,
        verdict="unknown",
        probability=0.0,
        threshold=THRESHOLD,
        model_id=MODEL_ID,
        reason=reason,
        sealed=seal(ScoredSecret(logit=0.0), key, identity, random),
    )
