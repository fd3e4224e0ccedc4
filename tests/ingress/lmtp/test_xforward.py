"""The attributes of XFORWARD, as its description and Postfix write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.smtp.paths import SyntaxFault
from ingress.smtp.xforward import Client, attributes

READ = [
    ("NAME=mail.a.test", {"NAME": "mail.a.test"}),
    ("name=a addr=192.0.2.7", {"NAME": "a", "ADDR": "192.0.2.7"}),
    ("ADDR=IPV6:2001:0DB8::0025", {"ADDR": "2001:db8::25"}),
    ("ADDR=ipv6:::ffff:192.0.2.7", {"ADDR": "192.0.2.7"}),
    ("ADDR=2001:db8::25", {"ADDR": "2001:db8::25"}),
    ("ADDR=[UNAVAILABLE]", {"ADDR": ""}),
    ("NAME=[TEMPUNAVAIL]", {"NAME": ""}),
    ("NAME=unknown", {"NAME": ""}),
    ("HELO=[192.0.2.7]", {"HELO": "[192.0.2.7]"}),
    ("HELO=a+2Bb+3Dc", {"HELO": "a+b=c"}),
    ("HELO=a=b", {"HELO": "a=b"}),
    ("HELO=a+2eb", {"HELO": "a.b"}),
    ("HELO=a+20b+0D+0Ac", {"HELO": "a?b??c"}),
    ("HELO=a(b)<c>", {"HELO": "a?b??c?"}),
    ("HELO=+C3+BC", {"HELO": "??"}),
    ("PORT=4711 PROTO=ESMTP IDENT=4FZ SOURCE=LOCAL", None),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_attributes_are_read(text: str, expected: dict[str, str] | None) -> None:
    found = attributes(text)
    if expected is None:
        assert Client().updated(found) == Client()
    else:
        assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "NAME", "=", "NAME=", "FOO=bar", "NAME=a NAME=b", "NAME = a", "NAME=a\tADDR=b"),
        *("HELO=+", "HELO=+4", "HELO=+4G", "HELO=a+", "HELO=\x7f", "HELO=ü", "ADDR=a.test"),
        *("ADDR=192.0.2.256", "ADDR=IPV6:192.0.2.7.1", "ADDR=IPV6:", "ADDR=192.0.2.7:25"),
    ],
)
def test_what_is_no_attribute_is_refused(text: str) -> None:
    with pytest.raises(SyntaxFault):
        attributes(text)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255))
def test_any_printable_value_comes_through_but_for_what_a_header_forbids(value: str) -> None:
    encoded = "".join(c if c.isalnum() else f"+{ord(c):02X}" for c in value)
    expected = "".join("?" if c in '<>()\\";@' else c for c in value)
    if value.lower() not in ("[unavailable]", "[tempunavail]"):
        assert attributes(f"HELO={encoded}") == {"HELO": expected}
