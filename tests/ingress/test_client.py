from __future__ import annotations

import pytest

from ingress.client import is_within, networks


@pytest.mark.parametrize(
    ("address", "given", "within"),
    [
        ("127.0.0.1", "127.0.0.0/8,::1", True),
        ("::1", "127.0.0.0/8, ::1", True),
        ("::ffff:127.0.0.1", "127.0.0.0/8", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.9/24", True),
        ("192.0.3.7", "192.0.2.0/24", False),
        ("127.0.0.1", "", False),
        ("", "0.0.0.0/0,::/0", False),
    ],
)
def test_an_address_is_within_networks(address: str, given: str, within: bool) -> None:
    assert is_within(address, networks(given)) == within


@pytest.mark.parametrize("text", ["here", "192.0.2.0/33", "127.0.0.1;::1"])
def test_what_is_no_network_is_told(text: str) -> None:
    with pytest.raises(ValueError):
        networks(text)
