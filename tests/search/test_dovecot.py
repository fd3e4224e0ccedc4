"""What Dovecot answered to IMAP SEARCH on real mail, asked in the query language.

IMAP looks for letters anywhere, inside of words too, and in everything that was sent; a query
looks for words in what a reader sees. DIFFERENCES lists each message in which that tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mail.message import digest
from projections.search.letters import Letters
from projections.search.sqlite import SqliteSearchProjection
from projections.search.sqlite_reader import SqliteSearchReader
from tests.contracts.search import NOW, Store, feed, found
from tests.corpora import corpora
from tests.dovecot import fetched
from tests.fakes import FINGERPRINT
from tests.search.mails import START, ContentOf, Letterbox

ASTERIX, HTTPD = "asterix-dev-201709", "httpd-users-202007"
NOTMUCH, LKML = "notmuch-default", "notmuch-lkml"
FOLDERS = (ASTERIX, HTTPD, NOTMUCH, LKML)

SAID = {
    "ALL": "in:anywhere",
    'FROM "paul"': "from:paul",
    'FROM "gov"': "from:gov",
    'TO "list"': "to:list*",
    'CC "com"': "cc:com",
    'SUBJECT "re:"': 'subject:"re:"',
    'SUBJECT "build"': "subject:build",
    'SUBJECT "test"': "subject:test*",
    'BODY "linux"': "body:linux",
    'BODY "meeting"': "body:meeting",
    'TEXT "viagra"': "viagra",
    'TEXT "python"': "python",
    'BODY "http://"': 'body:"http://"',
    "LARGER 10000": "larger:10000",
    "SMALLER 2000": "smaller:2000",
    "LARGER 2000 SMALLER 4000": "larger:2000 smaller:4000",
    "SENTSINCE 1-May-2007": "after:2007/05/01",
    "SENTBEFORE 1-May-2007": "before:2007/05/01",
    "SENTON 9-Apr-2007": "after:2007/04/09 before:2007/04/10",
    "SENTSINCE 1-Sep-2002 SENTBEFORE 1-Oct-2002": "after:2002/09/01 before:2002/10/01",
    'OR FROM "mail" SUBJECT "mail"': "from:mail OR subject:mail",
    'NOT FROM "com"': "-from:com",
    'SUBJECT "re:" BODY "thanks"': "subject:re body:thanks",
    'OR (SUBJECT "free" BODY "click") (FROM "yahoo")': "(subject:free body:click) OR from:yahoo",
    'BODY "caf\\"e"': 'body:"caf\\"e"',
    'TEXT "unsubscribe"': "unsubscribe",
    "SEEN": "is:read",
    "UNSEEN": "is:unread",
    "FLAGGED": "is:starred",
    'BODY "the quick"': 'body:"the quick"',
    'SUBJECT "order"': "subject:order",
    'BODY "e-mail"': "body:e-mail",
    'TEXT "Content-Type"': "Content-Type",
    'BODY "Content-Type"': "body:Content-Type",
}

NOT_SAID = {
    'HEADER "X-Mailer" ""': "only fields that a reader sees are asked for",
    'HEADER "List-Id" ""': "list: asks for words of the field, not whether it is there",
    'HEADER "References" ""': "only fields that a reader sees are asked for",
    'NOT HEADER "References" ""': "only fields that a reader sees are asked for",
    'HEADER "Content-Type" "multipart"': "only fields that a reader sees are asked for",
    'HEADER "Message-ID" "@"': "rfc822msgid: asks for the whole identifier",
    "UID 5:20": "a message has no number outside of IMAP",
    "1:10": "a message has no number outside of IMAP",
    'BODY "="': "there is no word in it",
    'FROM "<"': "there is no word in it",
    'BCC "x"': "a message that was received has no Bcc",
    "OLD": "there is no recent flag",
    "ANSWERED": "is: knows read, unread and starred",
    "KEYWORD foo": "is: knows read, unread and starred",
    "UNKEYWORD foo": "is: knows read, unread and starred",
    'NOT (OR FROM "a" FROM "e")': "letters inside of words are not asked for",
}

INSIDE = "the letters stand inside of a longer word"
WORD = "the word http stands there without a colon and slashes"
MARKUP = "the mark-up of HTML has it, which is not read; the word http stands without slashes"
HIDDEN = "a header field has it that no reader sees"
PART = "the header of a part has it"

DIFFERENCES: dict[tuple[str, str], tuple[str, str, str]] = {
    (ASTERIX, 'BODY "http://"'): (
        "",
        "33:34,44:48,51",
        WORD,
    ),
    (ASTERIX, 'OR FROM "mail" SUBJECT "mail"'): (
        "1:4,6:7,12:13,17:19,25:27,29,34,37,39,45,47,50",
        "",
        INSIDE,
    ),
    (ASTERIX, 'TEXT "unsubscribe"'): (
        "1:53",
        "",
        HIDDEN,
    ),
    (ASTERIX, 'TEXT "Content-Type"'): (
        "1:53",
        "",
        HIDDEN,
    ),
    (HTTPD, 'BODY "http://"'): (
        "21,24,27,42,63,80:81,97,101",
        "26,28,52,60,85:86,88,94:96,102,105,107:108",
        MARKUP,
    ),
    (HTTPD, 'OR FROM "mail" SUBJECT "mail"'): (
        "1:2,4,6,8,11,13,17,20:21,23,29,32,48:51,54:55,58,60,62:63,65,67:68,70:71,73,75,77,82,84,89,93,96,102:103,105:108",
        "",
        INSIDE,
    ),
    (HTTPD, 'TEXT "unsubscribe"'): (
        "2:6,11,13:16,18:19,21,23:27,30:31,33,35,49:50,55,58,61,63:64,78:82,85,90,96:98,101:103,107",
        "",
        HIDDEN,
    ),
    (HTTPD, 'TEXT "Content-Type"'): (
        "1:102,104,108",
        "",
        HIDDEN,
    ),
    (HTTPD, 'BODY "Content-Type"'): (
        "3:5,13:14,24,33,35,40,42:45,54,58,70:71,73,75:82,84:85,97:98,101",
        "",
        PART,
    ),
    (NOTMUCH, 'BODY "linux"'): (
        "39",
        "",
        INSIDE,
    ),
    (NOTMUCH, 'OR FROM "mail" SUBJECT "mail"'): (
        "5,14:15,18,20:24,26,28,39,43,49:51,53",
        "",
        INSIDE,
    ),
    (NOTMUCH, 'TEXT "unsubscribe"'): (
        "5:7,13:15,49:50,53",
        "",
        HIDDEN,
    ),
    (NOTMUCH, 'TEXT "Content-Type"'): (
        "5:7,13:15,39:40,49:50,53",
        "",
        HIDDEN,
    ),
    (LKML, 'TO "list"'): (
        "73",
        "",
        INSIDE,
    ),
    (LKML, 'SUBJECT "re:"'): (
        "201",
        "",
        INSIDE,
    ),
    (LKML, 'OR FROM "mail" SUBJECT "mail"'): (
        "1:6,30,39,44:45,77,83:84,189,207,209",
        "",
        INSIDE,
    ),
    (LKML, 'TEXT "unsubscribe"'): (
        "1:8,37,40,78,88,90:91,94:96,98,107,143:145,147,149,155:157,163,165,167,171:172,174:178,181,184:186,190",
        "",
        HIDDEN,
    ),
    (LKML, 'TEXT "Content-Type"'): (
        "3:8,20:22,30:32,35,37,39:45,57:58,67:70,74,77:81,83:84,86:88,90:92,94:96,107,138:192,194,202:210",
        "",
        HIDDEN,
    ),
}
"""(folder, query) -> (found by Dovecot alone, found here alone, why)."""


def numbers(text: str) -> set[int]:
    """Return the numbers of an IMAP sequence set."""
    said: set[int] = set()
    for piece in filter(None, text.strip().split(",")):
        first, _, last = piece.partition(":")
        said.update(range(int(first), int(last or first) + 1))
    return said


def as_set(found_numbers: set[int]) -> str:
    """Return numbers as an IMAP sequence set."""
    pieces: list[list[int]] = []
    for n in sorted(found_numbers):
        if pieces and pieces[-1][1] == n - 1:
            pieces[-1][1] = n
        else:
            pieces.append([n, n])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in pieces)


@pytest.fixture(scope="module", params=FOLDERS)
def folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, SqliteSearchReader, str, dict[str, int]]]:
    box = Letterbox()
    by_id: dict[str, int] = {}
    for n, message in enumerate(fetched(request.param), 1):
        sent = digest(message.raw).date
        # SENTSINCE asks for the Date field, a query for the internal date.
        date = START if sent is None else int(sent.timestamp()) * 1_000_000
        by_id[box.deliver(message.raw, date=date, flags=["seen"])] = n
    path: Path = tmp_path_factory.mktemp("dovecot") / "search.db"
    letters = Letters(ContentOf(box.stores), box.stores.keys, box.stores, FINGERPRINT)
    projection = SqliteSearchProjection(path, box.stores.keys, letters)
    reader = SqliteSearchReader(lambda: path, letters, lambda: NOW)
    feed(Store(projection, reader), box.records())
    yield request.param, reader, box.mailbox_id, by_id
    reader.close()
    projection.close()


def answers(name: str) -> dict[str, set[int]]:
    """Return Dovecot's answer to each query."""
    lines = (corpora("threading", name) / "dovecot.search.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    return {query: numbers(said) for query, status, said in rows if status == "OK"}


def test_queries_give_dovecot_s_answers(
    folder: tuple[str, SqliteSearchReader, str, dict[str, int]],
) -> None:
    name, reader, mailbox_id, by_id = folder
    told = answers(name)
    assert told.keys() == SAID.keys() | NOT_SAID.keys()
    differences: dict[tuple[str, str], tuple[str, str]] = {}
    for query, ours in SAID.items():
        here = {by_id[i] for i in found(reader, mailbox_id, ours, limit=500)}
        if here != told[query]:
            alone = as_set(told[query] - here), as_set(here - told[query])
            differences[name, query] = alone
    expected = {key: (a, b) for key, (a, b, _) in DIFFERENCES.items() if key[0] == name}
    assert differences == expected
