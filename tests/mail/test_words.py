"""Unstructured header text: encoded words, raw UTF-8, 8-bit guesses, unknown charsets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.charsets import codec, decode
from mail.words import decode_base64, decode_header

CASES = [
    (b" plain text ", "plain text"),
    (b" folded\r\n text", "folded text"),
    (b" folded\n\ttext", "folded text"),
    # RFC 2047 section 8
    (b"(=?ISO-8859-1?Q?a?=)", "(a)"),
    (b"(=?ISO-8859-1?Q?a?= b)", "(a b)"),
    (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
    (b"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
    (b"(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
    (b"(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
    (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
    (b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
     b" =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
     "If you can read this you understand the example."),
    (b"=?utf-8?q?J=C3?= =?utf-8?q?=B6?=", "J\u00f6"),
    (b"=?utf-8?B?w6?= =?utf-8?B?tg?=", "\u00f6"),
    (b"=?utf-8?B?4oKs?=x=?utf-8?B?4oKs?=", "\u20acx\u20ac"),
    (b"=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "\u30c6\u30b9\u30c8"),
    (b"=?gb2312?B?1tDOxA==?=", "\u4e2d\u6587"),
    (b"=?koi8-r?B?8NLJ18XU?=", "\u041f\u0440\u0438\u0432\u0435\u0442"),
    (b"=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
    (b"=?utf-8?Q?Are you there??= yes", "Are you there? yes"),
    (b"=?utf-8?Q?not closed", "=?utf-8?Q?not closed"),
    (b"=?utf-8?X?what?=", "=?utf-8?X?what?="),
    (b"=?no-such-charset?Q?=E4?=", "\u00e4"),
    (b"=?unknown-8bit?Q?=C3=A4?=", "\u00e4"),
    (b"=?utf-8?Q?a=0D=0AEvil:_1?=", "a Evil: 1"),
    (b"raw \xc3\xa4", "raw \u00e4"),
    (b"raw \xe4", "raw \u00e4"),
    (b"nul\x00nul", "nul nul"),
    (b"", ""),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), CASES)
def test_header_text_is_decoded(value: bytes, text: str) -> None:
    assert decode_header(value) == text


def test_the_hint_decides_what_raw_octets_mean() -> None:
    assert decode_header(b"\xf0\xd2\xc9", "koi8-r") == "\u041f\u0440\u0438"


@pytest.mark.parametrize(
    ("name", "same"),
    [("UTF8", "utf-8"), ("x-sjis", "shift_jis"), ("ks_c_5601-1987", "euc-kr"), ("CP-1252", "l1")],
)
def test_charset_aliases_name_one_codec(name: str, same: str) -> None:
    assert codec(name) == codec(same) is not None


@pytest.mark.parametrize(
    "name", ["zlib", "base64", "rot13", "punycode", "idna", "unicode_escape", "../x", "x" * 10_000]
)
def test_transforms_of_the_interpreter_are_no_charsets(name: str) -> None:
    assert codec(name) is None
    assert decode(b"abc", name) == "abc"


def test_base64_skips_foreign_octets_and_forgives_padding() -> None:
    assert decode_base64(b"YW*J\r\nj") == b"abc"
    assert decode_base64(b"YWI") == b"ab"
    assert decode_base64(b"YWJjZ") == b"abc"
    assert decode_base64(b"YWI=YWI=") == b"ab"


@given(st.binary(max_size=80), st.sampled_from(["", "utf-8", "utf-7", "utf-16", "hz", "big5", "?"]))
def test_any_octets_in_any_charset_are_text(data: bytes, charset: str) -> None:
    decode(data, charset).encode()


@given(
    st.lists(
        st.sampled_from(
            [b"=?", b"?=", b"utf-8", b"utf-7", b"?q?", b"?B?", b" ", b"+2AA-", b"\xc3"]
        ),
        max_size=30,
    ).map(b"".join)
    | st.binary(max_size=80)
)
def test_any_header_value_is_text_of_one_line(value: bytes) -> None:
    text = decode_header(value)
    text.encode()
    assert "\n" not in text


@given(st.text(max_size=60))
def test_what_the_standard_library_encodes_is_decoded(text: str) -> None:
    from email.header import Header

    text = "".join(c for c in text if c.isprintable() and c not in "\u2028\u2029").strip()
    encoded = Header(text, "utf-8").encode().encode()
    assert decode_header(encoded) == text
