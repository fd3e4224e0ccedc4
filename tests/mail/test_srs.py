"""Rewritten reverse-paths lead back to the sender, and nobody else can make them."""

from __future__ import annotations

import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.srs import (
    MAX_LOCAL,
    VALID_DAYS,
    Keyed,
    Named,
    Sender,
    SrsError,
    is_rewritten,
    restored,
    rewritten,
)

DAY = 86_400_000_000
NOW = 1_700_000_000_000_000
MAIL = bytes(range(16))


def keyed(secret: bytes) -> Keyed:
    return lambda text: hmac.digest(secret, text.encode("utf-8", "surrogatepass"), "sha256")


OURS, THEIRS = keyed(b"ours"), keyed(b"theirs")
ATOM = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=70)
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
SENDERS = st.builds(
    lambda atoms, labels: f"{'.'.join(atoms)}@{'.'.join(labels)}",
    st.lists(ATOM, min_size=1, max_size=3),
    st.lists(LABEL, min_size=1, max_size=4),
)


@given(SENDERS | st.text(max_size=80), st.integers(0, VALID_DAYS), st.booleans())
def test_what_is_rewritten_leads_back_whatever_the_way_does_to_its_case(
    sender: str, days: int, folded: bool
) -> None:
    made = rewritten(sender, MAIL, "alias.test", NOW, OURS)
    if not sender:
        assert made == ""
        return
    local = made.partition("@")[0]
    assert len(local.encode()) <= MAX_LOCAL
    assert re.fullmatch(r"[!-~]+", made)
    assert is_rewritten(made)
    found = restored(made.lower() if folded else made, NOW + days * DAY, OURS)
    if isinstance(found, Named):
        assert found.mail == MAIL
    elif folded:
        assert found.address == sender.lower()
    else:
        assert found.address == sender


@given(SENDERS, st.integers(0, 63), st.sampled_from("ab7=@.x"))
def test_what_is_changed_leads_nowhere(sender: str, at: int, letter: str) -> None:
    made = rewritten(sender, MAIL, "alias.test", NOW, OURS)
    at %= made.index("@")
    changed = made[:at] + letter + made[at + 1 :]
    if changed.lower() == made.lower():
        return
    with pytest.raises(SrsError):
        restored(changed, NOW, OURS)


@given(SENDERS)
def test_what_another_made_leads_nowhere(sender: str) -> None:
    with pytest.raises(SrsError, match="not made here"):
        restored(rewritten(sender, MAIL, "alias.test", NOW, THEIRS), NOW, OURS)


@pytest.mark.parametrize("domain", ["other.test", "sub.alias.test"])
def test_it_holds_in_its_own_domain_alone(domain: str) -> None:
    made = rewritten("ann@sender.test", MAIL, "alias.test", NOW, OURS)
    with pytest.raises(SrsError):
        restored(made.replace("alias.test", domain), NOW, OURS)


@pytest.mark.parametrize("days", [VALID_DAYS + 1, 500, 1023, -1])
def test_it_grows_old(days: int) -> None:
    made = rewritten("ann@sender.test", MAIL, "alias.test", NOW, OURS)
    with pytest.raises(SrsError, match="too old"):
        restored(made, NOW + days * DAY, OURS)


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("ann@sender.test", Sender),
        ("a.b+c=d@sender.test", Sender),
        ("x" * 50 + "@sender.test", Named),
        ('"a b"@sender.test', Named),
        ("jörg@sender.test", Named),
        ("ann@bücher.test", Named),
        ("ann@[192.0.2.1]", Named),
        ("no address", Named),
    ],
)
def test_a_sender_that_does_not_fit_is_named_by_its_mail(
    sender: str, kind: type[Sender | Named]
) -> None:
    made = rewritten(sender, MAIL, "alias.test", NOW, OURS)
    assert isinstance(restored(made, NOW, OURS), kind)


@given(st.text(max_size=120))
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    is_rewritten(text)
    with pytest.raises(SrsError):
        restored(text, NOW, OURS)
