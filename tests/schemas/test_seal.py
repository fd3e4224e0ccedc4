"""A sealed record opens with its key and its event, and with nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.parts import LabelSecret, ReceivedSecret
from schemas.seal import SealError, new_key, seal, unseal

KEY = bytes(range(32))
EVENT = "018bcfe5-687b-7000-8000-000000000000"


@given(st.text(st.characters(codec="utf-8"), max_size=2000))
def test_what_is_sealed_opens_to_the_same(name: str) -> None:
    record = LabelSecret(name=name)
    assert unseal(LabelSecret, seal(record, KEY, EVENT), KEY, EVENT) == record


@pytest.mark.parametrize("length", [0, 30, 300, 3000])
def test_the_text_is_not_in_the_sealed_bytes(length: int) -> None:
    sealed = seal(LabelSecret(name="canary" + "x" * length), KEY, EVENT)
    assert b"canary" not in sealed


def test_another_key_does_not_open() -> None:
    sealed = seal(LabelSecret(name="n"), KEY, EVENT)
    with pytest.raises(SealError, match="wrong-key"):
        unseal(LabelSecret, sealed, new_key(), EVENT)


def test_a_sealed_field_can_not_move_to_another_event() -> None:
    sealed = seal(LabelSecret(name="n"), KEY, EVENT)
    with pytest.raises(SealError, match="wrong-key"):
        unseal(LabelSecret, sealed, KEY, EVENT[:-1] + "1")


def test_a_record_of_another_type_is_damaged() -> None:
    sealed = seal(LabelSecret(name="n"), KEY, EVENT)
    with pytest.raises(SealError, match="damaged"):
        unseal(ReceivedSecret, sealed, KEY, EVENT)


@given(st.binary(max_size=100))
def test_garbage_is_a_seal_error(garbage: bytes) -> None:
    with pytest.raises(SealError):
        unseal(LabelSecret, garbage, KEY, EVENT)


def test_the_same_record_is_sealed_differently_each_time() -> None:
    record = LabelSecret(name="n")
    assert seal(record, KEY, EVENT) != seal(record, KEY, EVENT)
