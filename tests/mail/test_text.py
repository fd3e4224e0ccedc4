"""What a reader sees: text, HTML, flowed text, snippets, attachments."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.flowed import unflow
from mail.html import _by_tokens, _Text, _within_bounds, html_text
from mail.parts import parse
from mail.text import (
    SNIPPET_CHARACTERS,
    attachments,
    bodies,
    body_html,
    body_text,
    part_text,
    safe_filename,
    snippet,
)
from tests.corpora import corpora

HTML_CASES = [
    ("<p>one</p><p>two</p>", "one\n\ntwo"),
    ("a<br>b<br><br>c", "a\nb\n\nc"),
    ("<div>a<div>b</div></div>c", "a\nb\nc"),
    ("a <b>b</b>\n  c&nbsp;d", "a b c d"),
    ("<table><tr><td>1<td>2<tr><td>3</table>", "1 2\n3"),
    ("<ul><li>a<li>b</ul>", "a\nb"),
    ("<pre>a\n  b</pre>", "a\nb"),
    ("<head><title>t</title><style>p{}</style></head><body>x", "x"),
    ("<style>a</style>b<script>c < d</script>e", "be"),
    ("a<!-- <p>b -->c<!DOCTYPE html><?php x ?>d", "acd"),
    ("1 < 2 &amp; 3 &gt; 2 &#x41;", "1 < 2 & 3 > 2 A"),
    ('<a title="x>y" href=z>link</a>', "link"),
    ("<p title='a>b'>c<p =d>e", "c\n\ne"),
    ("open <b", "open"),
    ("open <!-- x", "open"),
    ("", ""),
    ("&#xD800;&#0;", "\ufffd\ufffd"),
]


@pytest.mark.parametrize(("document", "text"), HTML_CASES)
def test_html_becomes_text(document: str, text: str) -> None:
    assert html_text(document) == text


@pytest.mark.parametrize(("document", "text"), HTML_CASES)
def test_outsized_html_reads_the_same_through_the_tokenizer(document: str, text: str) -> None:
    out = _Text()
    _by_tokens(document, out)
    assert out.result() == text


def test_real_html_has_the_same_words_both_ways() -> None:
    documents = 0
    with tarfile.open(corpora("spam", "spamassassin-hard-ham-1.tar.gz")) as archive:
        for member in archive:
            found = archive.extractfile(member) if member.isfile() else None
            raw = b"" if found is None else found.read()
            for part in bodies(parse(raw)).html:
                document = part_text(raw, part)
                if part.content_type == "text/html" and _within_bounds(document):
                    out = _Text()
                    _by_tokens(document, out)
                    assert html_text(document).split() == out.result().split()
                    documents += 1
    assert documents


@pytest.mark.parametrize(
    "unit",
    ["<div>", "<b>x</i>", '<p a="', "<", "<!--", "</", "<script>", "&", "<svg>", "<a b ", "<pre> "],
)
def test_a_megabyte_of_hostile_html_has_a_text(unit: str) -> None:
    html_text(unit * (1_000_000 // len(unit)))


@given(st.text("<>/!-=\"' abp&#x;\n\t", max_size=80))
def test_any_html_has_a_text_both_ways(document: str) -> None:
    html_text(document).encode()
    out = _Text()
    _by_tokens(document, out)
    out.result().encode()


@pytest.mark.parametrize(
    ("text", "delsp", "unflowed"),
    [
        ("one \ntwo\nthree", False, "one two\nthree"),
        ("one \ntwo", True, "onetwo"),
        ("> one \n> two\n>> three \n>> four", False, "> one two\n>> three four"),
        ("> one \ntwo", False, "> one \ntwo"),
        (" >stuffed\n From x", False, ">stuffed\nFrom x"),
        ("text \n-- \nname", False, "text \n-- \nname"),
        ("one \r\ntwo\r\n", False, "one two\n"),
        ("open ", False, "open "),
        ("", False, ""),
    ],
)
def test_flowed_text_is_joined(text: str, delsp: bool, unflowed: str) -> None:
    assert unflow(text, delsp) == unflowed


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("  a\n\n b\tc ", "a b c"),
        ("On Monday Joe wrote:\n\n> old\n> older\n\nnew", "new"),
        ("top\n\nAm Montag schrieb Joe:\n> old", "top Am Montag schrieb Joe:"),
        ("top\n\nJoe schrieb:\n> old", "top"),
        ("> only\n> quoted", "> only > quoted"),
        ("hi\n-- \nname", "hi"),
        ("a\u200b\u034f\u00adb", "ab"),
        ("x" * 500, "x" * SNIPPET_CHARACTERS),
        ("", ""),
    ],
)
def test_snippets_show_what_is_new(text: str, short: str) -> None:
    assert snippet(text) == short


def _message(*parts: str, subtype: str = "mixed") -> bytes:
    head = f"Content-Type: multipart/{subtype}; boundary=b\n\n"
    return (head + "".join(f"--b\n{part}\n" for part in parts) + "--b--\n").encode()


PLAIN = "Content-Type: text/plain; charset=utf-8\n\nplain ä"
HTML = "Content-Type: text/html; charset=utf-8\n\n<p>html ä"
IMAGE = "Content-Type: image/gif\nContent-ID: <i>\nContent-Transfer-Encoding: base64\n\nYWJj"
FILE = "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nfile"


def _nested(subtype: str, *parts: str) -> str:
    inner = "".join(f"--c\n{part}\n" for part in parts)
    return f"Content-Type: multipart/{subtype}; boundary=c\n\n{inner}--c--"


@pytest.mark.parametrize(
    ("raw", "text", "html", "files"),
    [
        (PLAIN.encode(), "plain ä", None, []),
        (HTML.encode(), "html ä", "<p>html ä", []),
        (_message(PLAIN, HTML, subtype="alternative"), "plain ä", "<p>html ä", []),
        (_message(HTML, subtype="alternative"), "html ä", "<p>html ä", []),
        (_message(PLAIN, FILE), "plain ä", None, ["2"]),
        (_message(HTML, "\nfoot<er"), "html ä\nfoot<er", "<p>html ä\n<pre>foot&lt;er</pre>", []),
        (_message(_nested("related", HTML, IMAGE), FILE), "html ä", "<p>html ä", ["1.2", "2"]),
        (
            _message(PLAIN, _nested("related", HTML, IMAGE), subtype="alternative"),
            "plain ä",
            "<p>html ä",
            ["2.2"],
        ),
        (
            _message("Content-Type: text/plain\n\n \n", HTML, subtype="alternative"),
            "html ä",
            "<p>html ä",
            [],
        ),
        (_message("Content-Type: message/rfc822\n\n" + PLAIN), "", None, ["1"]),
        (FILE.encode(), "", None, ["1"]),
    ],
)
def test_bodies_are_chosen(raw: bytes, text: str, html: str | None, files: list[str]) -> None:
    tree = parse(raw)
    assert body_text(raw, tree) == text
    assert body_html(raw, tree) == html
    assert [a.section for a in attachments(raw, tree)] == files


def test_attachments_tell_what_they_are() -> None:
    raw = _message(PLAIN, IMAGE, FILE)
    assert [tuple(a) for a in attachments(raw, parse(raw))] == [
        ("2", "", "image/gif", 3, True),
        ("3", "a.txt", "text/plain", 4, False),
    ]


def test_unlabelled_html_says_its_charset_itself() -> None:
    raw = b'Content-Type: text/html\n\n<meta charset="koi8-r"><p>\xf0\xd2\xc9'
    assert body_text(raw, parse(raw)) == "При"


def test_flowed_parts_are_joined() -> None:
    raw = b"Content-Type: text/plain; format=flowed; delsp=yes\n\none \ntwo"
    assert body_text(raw, parse(raw)) == "onetwo"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\a.txt", "a.txt"),
        ("exe.\u202egpj.exe", "exe.gpj.exe"),
        (".hidden", "hidden"),
        ("..", ""),
    ],
)
def test_file_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_filename(name) == safe


@given(st.binary(max_size=200))
def test_any_message_has_bodies(tail: bytes) -> None:
    raw = (
        b"Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n" + tail
    )
    tree = parse(raw)
    body_text(raw, tree).encode()
    (body_html(raw, tree) or "").encode()
    leaves = {p.section for p in tree.walk()}
    for group in bodies(tree):
        assert {p.section for p in group} <= leaves
