"""What every key store does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.ports import KeyStore, KeyTaken
from schemas.identity import derived
from schemas.seal import KEY_SIZE


def name(n: int) -> str:
    return derived("key", str(n))


def key(n: int) -> bytes:
    return n.to_bytes(2, "big") * (KEY_SIZE // 2)


class KeyStoreContract:
    """Port KeyStore. `reopen` gives a second store on the same storage."""

    @pytest.fixture
    def keys(self) -> KeyStore:
        raise AssertionError("the adapter's test gives the store")

    @pytest.fixture
    def reopen(self) -> Callable[[], KeyStore]:
        raise AssertionError("the adapter's test gives a second store")

    def test_a_key_is_given_back(self, keys: KeyStore) -> None:
        keys.put({name(1): key(1), name(2): key(2)})
        assert keys.get([name(1), name(2)]) == {name(1): key(1), name(2): key(2)}

    def test_a_key_that_never_was_is_missing(self, keys: KeyStore) -> None:
        keys.put({name(1): key(1)})
        assert keys.get([name(1), name(2)]) == {name(1): key(1)}

    def test_nothing_asked_is_nothing_given(self, keys: KeyStore) -> None:
        keys.put({})
        assert keys.get([]) == {}
        assert keys.ensure([]) == {}
        keys.destroy([])

    def test_the_same_key_again_changes_nothing(self, keys: KeyStore) -> None:
        keys.put({name(1): key(1)})
        keys.put({name(1): key(1), name(2): key(2)})
        assert keys.get([name(1), name(2)]) == {name(1): key(1), name(2): key(2)}

    def test_another_key_is_refused_and_nothing_stored(self, keys: KeyStore) -> None:
        keys.put({name(1): key(1)})
        with pytest.raises(KeyTaken) as refused:
            keys.put({name(2): key(2), name(1): key(9), name(3): key(3)})
        assert refused.value.identifiers == (name(1),)
        assert keys.get([name(1), name(2), name(3)]) == {name(1): key(1)}

    @pytest.mark.parametrize("bad", [b"", bytes(16), b"x" * 31, b"x" * 33])
    def test_a_key_of_another_size_is_refused(self, keys: KeyStore, bad: bytes) -> None:
        with pytest.raises(ValueError, match="32 octets"):
            keys.put({name(1): bad})
        assert keys.get([name(1)]) == {}

    def test_keys_are_made_where_there_are_none(self, keys: KeyStore) -> None:
        keys.put({name(1): key(1)})
        made = keys.ensure([name(1), name(2), name(3), name(2)])
        assert set(made) == {name(1), name(2), name(3)}
        assert made[name(1)] == key(1)
        assert len(set(made.values())) == 3
        assert {len(k) for k in made.values()} == {KEY_SIZE}
        assert keys.ensure([name(3), name(2), name(1)]) == made
        assert keys.get(list(made)) == made

    def test_a_destroyed_key_is_missing(self, keys: KeyStore) -> None:
        keys.put({name(n): key(n + 1) for n in range(5)})
        keys.destroy([name(1), name(3), name(9)])
        assert set(keys.get([name(n) for n in range(10)])) == {name(0), name(2), name(4)}

    def test_destroying_again_is_the_same(self, keys: KeyStore) -> None:
        keys.put({name(1): key(1)})
        keys.destroy([name(1)])
        keys.destroy([name(1)])
        assert keys.get([name(1)]) == {}

    def test_after_a_destroyed_key_there_is_never_another(self, keys: KeyStore) -> None:
        keys.put({name(1): key(1), name(2): key(2)})
        keys.destroy([name(1), name(2)])
        for again in (key(2), key(5)):
            with pytest.raises(KeyTaken) as refused:
                keys.put({name(2): again, name(3): key(3)})
            assert refused.value.identifiers == (name(2),)
        assert set(keys.ensure([name(1), name(3)])) == {name(3)}
        assert set(keys.get([name(n) for n in range(5)])) == {name(3)}

    def test_a_destroyed_key_is_told_from_one_that_never_was(
        self, keys: KeyStore, reopen: Callable[[], KeyStore]
    ) -> None:
        keys.put({name(1): key(1), name(2): key(2)})
        keys.destroy([name(1), name(3)])
        for store in (keys, reopen()):
            assert store.destroyed([name(n) for n in range(5)]) == {name(1), name(3)}
        assert keys.destroyed([]) == frozenset()
        # What was destroyed before it was made is never made.
        assert keys.ensure([name(3)]) == {}

    def test_keys_are_there_for_another(
        self, keys: KeyStore, reopen: Callable[[], KeyStore]
    ) -> None:
        keys.put({name(1): key(1), name(2): key(2)})
        keys.destroy([name(2)])
        assert reopen().get([name(1), name(2)]) == {name(1): key(1)}

    def test_the_secret_is_made_once(self, keys: KeyStore, reopen: Callable[[], KeyStore]) -> None:
        secret = keys.secret()
        assert len(secret) == 32
        assert keys.secret() == secret
        assert reopen().secret() == secret
