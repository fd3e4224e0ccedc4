"""Parameters of Content-Type and Content-Disposition, as specified and as seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.parameters import parse_parameters

CASES: list[tuple[bytes, str, dict[str, str]]] = [
    (b" text/plain", "text/plain", {}),
    (b" TEXT/Plain; Charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
    (b" text/plain; charset=us-ascii (Plain text)", "text/plain", {"charset": "us-ascii"}),
    (b" text/plain; charset=\"us-ascii\"; format=flowed;", "text/plain",
     {"charset": "us-ascii", "format": "flowed"}),
    (b" multipart/mixed;\r\n\tboundary=\"a b\"", "multipart/mixed", {"boundary": "a b"}),
    (b" multipart/mixed; boundary=----=_Next.1", "multipart/mixed", {"boundary": "----=_Next.1"}),
    (b" multipart/mixed; boundary=\"----=_Next?1\"", "multipart/mixed",
     {"boundary": "----=_Next?1"}),
    (b" text/html charset=utf-8", "text/html", {"charset": "utf-8"}),
    (b" (a comment) text/plain (another) ; charset=x", "text/plain", {"charset": "x"}),
    (b" attachment; filename=my file (1).pdf; size=3", "attachment",
     {"filename": "my file (1).pdf", "size": "3"}),
    (b" attachment; filename=\"a;b\\\"c.txt\"", "attachment", {"filename": 'a;b"c.txt'}),
    (b" attachment; filename=\"open", "attachment", {"filename": "open"}),
    (b" attachment; filename=one; filename=two", "attachment", {"filename": "one"}),
    (b" attachment;; ; filename=x", "attachment", {"filename": "x"}),
    # RFC 2231 sections 3, 4 and 4.1
    (b" message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/x\"",
     "message/external-body", {"access-type": "URL", "url": "ftp://cs.utk.edu/x"}),
    (b" application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
     "application/x-stuff", {"title": "This is ***fun***"}),
    (b" application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20;"
     b" title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
     "application/x-stuff", {"title": "This is even more ***fun*** isn't it!"}),
    (b" attachment; filename*1*=%A4; filename*0*=utf-8''%C3", "attachment", {"filename": "ä"}),
    (b" attachment; filename=plain; filename*=utf-8''better", "attachment",
     {"filename": "better"}),
    (b" attachment; filename*0=a; filename*2=c", "attachment", {"filename": "a"}),
    (b" attachment; filename*1=b; filename=x", "attachment", {"filename": "x"}),
    # RFC 2047 forbids these, and they are common
    (b" attachment; filename=\"=?utf-8?B?w6QudHh0?=\"", "attachment", {"filename": "ä.txt"}),
    (b" attachment; filename==?utf-8?Q?=C3=A4.txt?=", "attachment", {"filename": "ä.txt"}),
    (b" attachment; filename*0==?utf-8?Q?=C3=A4?=; filename*1=.txt", "attachment",
     {"filename": "ä.txt"}),
    (b" attachment; filename=\"\xc3\xa4.txt\"", "attachment", {"filename": "ä.txt"}),
    (b" attachment; filename=\"\xe4.txt\"", "attachment", {"filename": "ä.txt"}),
    (b" attachment; filename*=no-such-charset''%E4", "attachment", {"filename": "ä"}),
    (b" attachment; filename*=utf-8''a%0D%0AEvil:%201", "attachment", {"filename": "a Evil: 1"}),
    (b"", "", {}),
    (b" ; charset=x", "", {"charset": "x"}),
    (b" charset=x", "", {"charset": "x"}),
]  # fmt: skip


@pytest.mark.parametrize(("value", "main", "parameters"), CASES)
def test_parameters_are_read(value: bytes, main: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(value) == (main, parameters)


@given(
    st.lists(
        st.sampled_from(
            [*b" ;=\"\\*()'%?", b"name", b"*0", b"*1*", b"utf-8''", b"\r\n ", b"\xff"]
        ).map(lambda x: bytes([x]) if isinstance(x, int) else x),
        max_size=30,
    ).map(b"".join)
    | st.binary(max_size=80)
)
def test_any_input_gives_parameters_that_are_text(value: bytes) -> None:
    main, parameters = parse_parameters(value)
    main.encode()
    for name, text in parameters.items():
        name.encode()
        text.encode()
        assert "\n" not in text
