"""The part tree: offsets, sections, defaults, broken input, limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.fields import MAX_FIELDS
from mail.parts import MAX_LEVELS, MAX_PARTS, NO_BOUNDARY, NO_CLOSE, TRUNCATED, Part, parse
from tests.corpora import corpus_files

NESTED = b"""\
From: a@example.org
Content-Type: multipart/mixed; boundary=outer

preamble
--outer
Content-Type: multipart/alternative; boundary="in"

--in

plain
--in
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<b>=C3=A4</b>
--in--
inner epilogue
--outer
Content-Type: message/rfc822

Content-Type: multipart/mixed; boundary=third

--third
Content-Type: application/pdf; name="ignored.pdf"
Content-Disposition: attachment; filename="a.pdf"
Content-Transfer-Encoding: base64
Content-ID: <one@example.org>

YWJj
--third--
--outer
Content-Type: message/rfc822

Subject: inner

text
--outer--
epilogue
"""


def _outline(part: Part) -> list[tuple[str, str]]:
    return [(p.section, p.content_type) for p in part.walk()]


@pytest.fixture(params=[b"\n", b"\r\n"], ids=["lf", "crlf"])
def nested(request: pytest.FixtureRequest) -> bytes:
    return NESTED.replace(b"\n", request.param)


def test_sections_are_imap_part_numbers(nested: bytes) -> None:
    assert _outline(parse(nested)) == [
        ("", "multipart/mixed"),
        ("1", "multipart/alternative"),
        ("1.1", "text/plain"),
        ("1.2", "text/html"),
        ("2", "message/rfc822"),
        ("2.TEXT", "multipart/mixed"),
        ("2.1", "application/pdf"),
        ("3", "message/rfc822"),
        ("3.1", "text/plain"),
    ]


def test_offsets_are_exact(nested: bytes) -> None:
    parts = {p.section: p for p in parse(nested).walk()}
    assert parts["1.1"].body(nested) == b"plain"
    assert parts["1.2"].body(nested) == b"<b>=C3=A4</b>"
    assert parts["1.2"].decoded(nested) == "<b>ä</b>".encode()
    assert parts["1"].body(nested).endswith(b"inner epilogue")
    assert parts["2.1"].decoded(nested) == b"abc"
    assert parts["3.1"].body(nested) == b"text"
    header = nested[parts["2.1"].header_start : parts["2.1"].body_start]
    assert header.startswith(b"Content-Type: application/pdf")
    assert header.endswith((b"\n\n", b"\n\r\n"))
    assert parts[""].end == len(nested)


def test_fields_of_a_part_are_decoded(nested: bytes) -> None:
    part = {p.section: p for p in parse(nested).walk()}["2.1"]
    assert (part.disposition, part.filename) == ("attachment", "a.pdf")
    assert (part.content_id, part.encoding) == ("one@example.org", "base64")


@pytest.mark.parametrize(
    ("raw", "content_type", "body"),
    [
        (b"", "text/plain", b""),
        (b"\r\n", "text/plain", b""),
        (b"\n\nx", "text/plain", b"\nx"),
        (b"Subject: x", "text/plain", b""),
        (b"no header at all", "text/plain", b"no header at all"),
        (b"Subject: x\nno field\nmore", "text/plain", b"no field\nmore"),
        (b"Subject: x\nno field\nTo: y\n\nbody", "text/plain", b"body"),
        (b"Content-Type: text\n\nx", "text/plain", b"x"),
        (b"Content-Type: /\n\nx", "text/plain", b"x"),
        (b"Content-Type: multipart/mixed\n\n--x\n\ny", "text/plain", b"--x\n\ny"),
        (b"Content-Type: IMAGE/Gif\nContent-Type: text/html\n\nx", "image/gif", b"x"),
        (b"From x Mon Jan 1\nContent-Type: text/html\n\nx", "text/html", b"x"),
    ],
)
def test_a_message_without_parts_is_one_leaf(raw: bytes, content_type: str, body: bytes) -> None:
    part = parse(raw)
    assert (part.content_type, part.body(raw), part.children) == (content_type, body, ())


def _mixed(boundary: str, body: bytes) -> tuple[Part, bytes]:
    raw = b'Content-Type: multipart/mixed; boundary="%s"\n\n' % boundary.encode() + body
    return parse(raw), raw


@pytest.mark.parametrize(
    ("body", "children"),
    [
        (b"--b\n\none\n--b--", [b"one"]),
        (b"--b\n\none\n--b \t\n\ntwo\n--b-- \n", [b"one", b"two"]),
        (b"--b\n\none\n--bb\n\n--b--\n--b\n\nno", [b"one\n--bb\n"]),
        (b"--b\n\none\n--b garbage\n\ntwo\n--b--garbage", [b"one", b"two"]),
        (b"--b\n\none\n -- b\n--B\n--b--", [b"one\n -- b\n--B"]),
        (b"--b\n\none", [b"one"]),
        (b"--b\n\none\n", [b"one\n"]),
        (b"--b\n--b\n\n--b\n\n\n--b--", [b"", b"", b""]),
        (b"--b", [b""]),
        (b"--b\nSubject: x\n--b--", [b""]),
        (b"--b--\n", []),
        (b"text", []),
    ],
)
def test_delimiters_are_found(body: bytes, children: list[bytes]) -> None:
    part, raw = _mixed("b", body)
    assert [p.body(raw) for p in part.children] == children


def test_a_boundary_that_begins_with_another_is_not_mistaken_for_it() -> None:
    part, _ = _mixed(
        "b", b"--b\nContent-Type: multipart/mixed; boundary=b-1\n\n--b-1\n\nx\n--b-1--\n--b--"
    )
    assert _outline(part)[1:] == [("1", "multipart/mixed"), ("1.1", "text/plain")]


def test_an_outer_delimiter_ends_all_inner_parts() -> None:
    part, raw = _mixed(
        "b", b"--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--b\n\ny\n--b--"
    )
    assert [p.body(raw) for p in part.walk() if not p.children] == [b"x", b"y"]
    assert part.children[0].defects == (NO_CLOSE,)


def test_a_delimiter_ends_a_header_without_empty_line() -> None:
    part, raw = _mixed("b", b"--b\nContent-Type: text/html\n--b\n\ny\n--b--")
    assert [(p.content_type, p.body(raw)) for p in part.children] == [
        ("text/html", b""),
        ("text/plain", b"y"),
    ]


def test_a_parent_reaches_as_far_as_a_child_whose_header_was_cut_off() -> None:
    inner = b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nSubject: x\r\n--b--"
    part, _ = _mixed("b", inner)
    (child,) = part.children
    assert child.end == child.children[0].end


def test_parts_of_a_digest_are_messages() -> None:
    raw = b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\ny\n--b--"
    assert _outline(parse(raw))[1:] == [("1", "message/rfc822"), ("1.1", "text/plain")]


def test_an_encoded_message_is_a_leaf() -> None:
    raw = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAo="
    part = parse(raw)
    assert (part.children, part.decoded(raw)) == ((), b"Subject: x\n")


def test_a_multipart_with_the_boundary_of_an_outer_one_has_no_parts() -> None:
    part, _ = _mixed("b", b"--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--")
    assert _outline(part)[1:] == [("1", "multipart/mixed"), ("2", "text/plain")]
    assert NO_BOUNDARY in part.children[0].defects


@pytest.mark.parametrize(
    ("encoding", "body", "decoded"),
    [
        (b"quoted-printable", b"a=3Db =\nc  \nd=e =  \r\nf", b"a=b c\nd=e f"),
        (b"Quoted-Printable", b"=C3=A4=\r=41", "äA".encode()),
        (b"base64", b"YW\r\nJj", b"abc"),
        (b"x-uuencode", b"begin 644 x\n#86)C\n`\nend\n", b"abc"),
        (b"x-unknown", b"a=3D", b"a=3D"),
        (b"8bit (comment)", b"\xe4", b"\xe4"),
    ],
)
def test_transfer_encodings_are_undone(encoding: bytes, body: bytes, decoded: bytes) -> None:
    raw = b"Content-Transfer-Encoding: " + encoding + b"\n\n" + body
    assert parse(raw).decoded(raw) == decoded


def test_the_hundredth_level_is_a_truncated_leaf() -> None:
    raw = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(150)
    )
    parts = list(parse(raw).walk())
    assert len(parts) == MAX_LEVELS
    assert parts[-1].content_type == "application/octet-stream"
    assert parts[-1].defects == (TRUNCATED,)
    assert parts[-1].end == len(raw)


def test_messages_in_messages_stop_at_the_hundredth_level() -> None:
    raw = b"Content-Type: message/rfc822\n\n" * 150
    parts = list(parse(raw).walk())
    assert len(parts) == MAX_LEVELS
    assert parts[-1].defects == (TRUNCATED,)


def test_the_last_part_allowed_reaches_to_the_end() -> None:
    part, raw = _mixed("b", b"--b\n\nx\n" * (MAX_PARTS + 5) + b"--b--\n")
    parts = list(part.walk())
    assert len(parts) == MAX_PARTS
    assert parts[-1].defects == (TRUNCATED,)
    assert parts[-1].end == len(raw)
    assert parts[-2].body(raw) == b"x"


def test_fields_are_bounded_and_the_body_is_found_all_the_same() -> None:
    raw = b"a:\n" * (MAX_FIELDS + 5) + b"\nbody"
    part = parse(raw)
    assert (len(part.fields), part.body(raw)) == (MAX_FIELDS, b"body")


_LINE = st.sampled_from(
    [b"--a", b"--b", b"--a--", b"--b--", b"", b"text", b"-", b"--", b"Subject: x", b" fold"]
    + [b"Content-Type: multipart/mixed; boundary=%s" % b for b in (b"a", b"b", b"ab")]
    + [b"Content-Type: multipart/digest; boundary=b", b"Content-Type: message/rfc822"]
)


@given(
    st.lists(st.tuples(_LINE, st.sampled_from([b"\n", b"\r\n"])).map(b"".join)).map(b"".join)
    | st.binary(max_size=80)
)
def test_any_input_gives_a_well_formed_tree(raw: bytes) -> None:
    root = parse(raw)
    assert (root.header_start, root.end) == (0, len(raw))
    sections = [p.section for p in root.walk()]
    assert len(set(sections)) == len(sections)
    for part in root.walk():
        assert part.header_start <= part.body_start <= part.end
        low = part.body_start
        for child in part.children:
            assert low <= child.header_start <= child.end <= part.end
            low = child.end
        part.decoded(raw)


@pytest.mark.parametrize("folder", ["enmime", "nodemailer", "mime4j"])
def test_every_message_of_the_public_suites_parses(folder: str) -> None:
    paths = [p for p in corpus_files("mime", folder) if p.suffix in (".raw", ".eml", ".msg")]
    assert paths
    for path in paths:
        raw = path.read_bytes()
        for part in parse(raw).walk():
            part.decoded(raw)
