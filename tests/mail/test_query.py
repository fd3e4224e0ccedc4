from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.query.language import MAX_LEAVES, MAX_QUERY, BadQuery, parse
from mail.query.tokens import tokens
from mail.query.tree import (
    FIELDS,
    STATES,
    Aged,
    And,
    Dated,
    HasAttachment,
    Is,
    Label,
    MessageId,
    Node,
    Not,
    Or,
    Size,
    Text,
    all_of,
    any_of,
    written,
)

A, B, C = Text("a"), Text("b"), Text("c")

MEANT: list[tuple[str, Node]] = [
    ("a", A),
    ("a b", And((A, B))),
    ("a AND b", And((A, B))),
    ("a OR b c", Or((A, And((B, C))))),
    ("(a OR b) c", And((Or((A, B)), C))),
    ("a or b", And((A, Text("or"), B))),
    ("-a", Not(A)),
    ("NOT a b", And((Not(A), B))),
    ("--a", Not(Not(A))),
    ("-(a b)", Not(And((A, B)))),
    ('-"a b"', Not(Text("a b"))),
    ('"a b"', Text("a b")),
    ('"a b"*', Text("a b", prefix=True)),
    ('"say \\"hi\\" \\\\"', Text('say "hi" \\')),
    ("a*", Text("a", prefix=True)),
    ("e-mail", Text("e-mail")),
    ("from:ann", Text("ann", "from")),
    ('From:"Ann B"', Text("Ann B", "from")),
    ("from:ann@example.test", Text("ann@example.test", "from")),
    ("subject:(a OR b*)", Or((Text("a", "subject"), Text("b", "subject", True)))),
    ("from:(ann to:bob)", And((Text("ann", "from"), Text("bob", "to")))),
    ("-in:inbox", Not(Label("inbox"))),
    ('label:"My work"', Label("My work")),
    ("label:Work/Clients", Label("Work/Clients")),
    ("is:unread", Is("unread")),
    ("has:attachment", HasAttachment()),
    ("larger:10000", Size("larger", 10000)),
    ("smaller:2k", Size("smaller", 2048)),
    ("larger:5MB", Size("larger", 5 << 20)),
    ("larger:1G", Size("larger", 1 << 30)),
    ("after:2024/1/2", Dated("after", date(2024, 1, 2))),
    ("before:2024-12-31", Dated("before", date(2024, 12, 31))),
    ("older_than:2d", Aged("older_than", 2, "d")),
    ("newer_than:3W", Aged("newer_than", 3, "w")),
    ("rfc822msgid:<a@b.test>", MessageId("a@b.test")),
    ("list:dev.example.test", Text("dev.example.test", "list")),
    ("re: lunch", And((Text("re:"), Text("lunch")))),
    ("http://example.test/a?b", Text("http://example.test/a?b")),
    ("12:30", Text("12:30")),
    ("a & b - c", And((A, B, C))),
    ("a(b)c", And((A, B, C))),
    ("-& a", A),
    ("会議", Text("会議")),
]


@pytest.mark.parametrize(("query", "tree"), MEANT)
def test_a_query_means_its_tree(query: str, tree: Node) -> None:
    assert parse(query) == tree


MISTAKES = [
    ("", 0),
    ("  ", 0),
    ("&", 0),
    ("(a", 0),
    ("a (b (c)", 2),
    ("a)", 1),
    ("()", 1),
    ("a ()", 3),
    ('a "b', 2),
    ("a OR", 4),
    ("OR a", 0),
    ("a AND AND b", 6),
    ("NOT", 3),
    ("a -(", 4),
    ("from:", 5),
    ("a from: b", 7),
    ("form:paul", 0),
    ("a -foo:bar", 3),
    ('subject:"="', 8),
    ("is:open", 3),
    ("has:drive", 4),
    ("larger:much", 7),
    ("larger:-1", 7),
    ("larger:10*", 7),
    ("after:2024", 6),
    ("after:2024/02/30", 6),
    ("after:2024/02-03", 6),
    ("older_than:2", 11),
    ("newer_than:d", 11),
    ("rfc822msgid:<>", 12),
    ('label:" "', 6),
    ("label:(a b)", 6),
    ("x" * (MAX_QUERY + 1), MAX_QUERY),
    ("-" * 100 + "a", 41),
    ("(" * 60 + "a" + ")" * 60, 41),
    ("a " * (MAX_LEAVES + 1), 2 * MAX_LEAVES),
]


@pytest.mark.parametrize(("query", "position"), MISTAKES)
def test_a_mistake_has_its_place(query: str, position: int) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(query)
    assert caught.value.position == position
    assert str(caught.value).startswith(f"at character {position + 1}: ")


_WORDS = st.text(min_size=1, max_size=12).filter(lambda x: bool(tokens(x)))
_LEAVES: st.SearchStrategy[Node] = st.one_of(
    st.builds(Text, _WORDS, st.sampled_from((None, *FIELDS)), st.booleans()),
    st.builds(Label, st.text(min_size=1, max_size=12).filter(lambda x: bool(x.strip()))),
    st.builds(Is, st.sampled_from(STATES)),
    st.just(HasAttachment()),
    st.builds(Size, st.sampled_from(("larger", "smaller")), st.integers(0, 10**14)),
    st.builds(Dated, st.sampled_from(("after", "before")), st.dates(date(1000, 1, 1))),
    st.builds(
        Aged,
        st.sampled_from(("older_than", "newer_than")),
        st.integers(0, 99999),
        st.sampled_from("dwmy"),
    ),
    st.builds(
        MessageId,
        st.text('abc@.<>"\\ ', min_size=1).filter(
            lambda x: x == x.strip().removeprefix("<").removesuffix(">").strip() and bool(x)
        ),
    ),
)
_TREES: st.SearchStrategy[Node] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(all_of, st.lists(inner, min_size=2, max_size=4)),
        st.builds(any_of, st.lists(inner, min_size=2, max_size=4)),
    ),
    max_leaves=12,
)


@given(_TREES)
def test_what_is_written_parses_into_the_tree_again(tree: Node) -> None:
    assert parse(written(tree)) == tree


@given(st.text(alphabet='ab"\\()-*: ORANDNTfrom:label:is:', max_size=40))
def test_any_text_is_a_tree_or_a_mistake_inside_of_it(query: str) -> None:
    tree = _parsed(query)
    assert tree is None or parse(written(tree)) == tree


def _parsed(query: str) -> Node | None:
    mistake = -1
    try:
        return parse(query)
    except BadQuery as e:
        mistake = e.position
    assert 0 <= mistake <= len(query)
    return None
