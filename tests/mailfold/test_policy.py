"""What the administrator decided about authentication."""

from __future__ import annotations

import pytest

from infra.ports import EngineDown
from mailfold.policy import CurrentPolicy, auth_settings
from mailfold.settings import SettingsError, load


def test_trusted_sealers_are_domains_in_any_spelling() -> None:
    made = auth_settings(load(trusted_sealers=" Lists.EXAMPLE , bücher.test,,"))
    assert made.trusted_sealers == {"lists.example", "xn--bcher-kva.test"}


def test_a_sealer_that_is_no_domain_is_an_error_with_the_setting_in_it() -> None:
    with pytest.raises(SettingsError, match="trusted_sealers"):
        auth_settings(load(trusted_sealers="lists example"))


def test_a_domain_is_protected_as_soon_as_it_is_hosted() -> None:
    hosted = {"a.test"}
    policy = CurrentPolicy(load(), lambda: frozenset(hosted))
    assert policy().protected_domains == {"a.test"}
    assert policy() is policy()
    hosted.add("b.test")
    assert policy().protected_domains == {"a.test", "b.test"}


def test_a_directory_that_is_down_holds_nothing_up() -> None:
    down = False

    def hosted() -> frozenset[str]:
        if down:
            raise EngineDown("directory")
        return frozenset(["a.test"])

    policy = CurrentPolicy(load(trusted_sealers="lists.test"), hosted)
    before = policy()
    down = True
    assert policy() == before
