"""A scanner that opens seals, unpacks zstd and base64 and reads every file, after one word.

A canary is a word that no other word shares seven letters in a row with: FTS5 keeps of a word only
what differs from the word before it, so a word is found by its pieces. In the text of a letter it
stands backwards, with an accent on each letter, and is looked for as the index folds it too.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import msgspec
import zstandard

from schemas.codec import decode, record_types, schema
from schemas.identity import from_bytes
from schemas.seal import SealError, unseal
from tests.system import mail

_MAGIC = b"\x28\xb5\x2f\xfd"


GONE, KEPT = "Vrjklqzdwmbtx", "Hgwfpxcnkzrbq"

_PIECE = 7
"""Letters in a row that are found by chance in no file."""


@dataclass
class Scan:
    """Where canaries were found."""

    sealed: set[str] = field(default_factory=set)
    """Fields of records that a key opened."""
    files: set[str] = field(default_factory=set)
    """Files of the views and other folders that hold one openly."""
    words: set[tuple[str, str]] = field(default_factory=set)
    """Files of the views, and words of their vocabulary."""


class Scanner:
    """Looks for one canary in a data folder; with the keys that are in keys.db and no others."""

    def __init__(self, data: Path, canary: str) -> None:
        self.data = data
        self.keys = keys_of(data)
        words = [w.lower() for w in (canary, backwards(canary))]
        self._pieces = [w[n : n + _PIECE] for w in words for n in range(len(w) - _PIECE + 1)]
        self._octets = [x.encode() for x in (*self._pieces, accented(words[1]))]

    def scan(self) -> Scan:
        found = Scan()
        for path in files_of(self.data):
            folder = path.relative_to(self.data).parts[0]
            if self._in(octets_of(path)):
                found.files.add(_base(path) if folder == "views" else folder)
            if folder == "views" and path.suffix == ".db":
                words = (w for w in vocabulary(path) if any(x in w for x in self._pieces))
                found.words.update((path.name, w) for w in words)
        connection = apsw.Connection(str(self.data / "log.db"))
        for (table,) in connection.execute("select name from log_topic").fetchall():
            name = f"log_{table.replace('.', '_')}"
            rows = connection.execute(
                f"select t.name, event_id, value from {name} r join log_type t on t.id = r.type"
            )
            for kind, _, value in rows.fetchall():
                self._record(found, kind, decode(kind, value))
        for row in connection.execute("select mail_id, authenticated, scored, digest from content"):
            key = self.keys.get(from_bytes(row[0]))
            self._record(found, "Authenticated", decode("Authenticated", row[1]))
            self._record(found, "Scored", decode("Scored", row[2]))
            self._opened(found, "content.digest", "Digest", row[3], key, from_bytes(row[0]))
        connection.close()
        return found

    def _record(self, found: Scan, kind: str, value: Any) -> None:
        identity = getattr(value, "event_id", None) or value.command_id
        for f in schema(kind)["fields"]:
            octets = getattr(value, f["name"])
            if not f.get("sealed"):
                assert not self._in(msgspec.msgpack.encode(octets)), f"{kind}.{f['name']} is open"
                continue
            inner = str(f["seals"]).removeprefix("mailfold.")
            owners = [getattr(value, n, "") for n in ("message_id", "mail_id", "mailbox_id")]
            for owner in owners:
                name = f"{kind}.{f['name']}"
                self._opened(found, name, inner, octets, self.keys.get(owner), identity)

    def _opened(
        self, found: Scan, name: str, inner: str, octets: bytes, key: bytes | None, identity: str
    ) -> None:
        if key is None:
            return
        try:
            record = unseal(record_types()[inner], octets, key, identity)
        except SealError:
            return
        if self._in(msgspec.msgpack.encode(record)):
            found.sealed.add(name)

    def _in(self, octets: bytes) -> bool:
        return any(x in o.lower() for o in (octets, *unpacked(octets)) for x in self._octets)


def backwards(canary: str) -> str:
    return canary[::-1]


def accented(word: str) -> str:
    """The word with an accent on each letter; folding takes them off again."""
    return "".join(letter + "\u0301" for letter in word)


def _base(path: Path) -> str:
    """The file itself for its write-ahead log."""
    return path.name.partition(".db")[0] + ".db"


def vocabulary(path: Path) -> Iterator[str]:
    """Yield the words in the full-text tables of a file."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    tables = connection.execute("select name from sqlite_schema where sql like '%using fts5%'")
    for n, (table,) in enumerate(tables.fetchall()):
        connection.execute(f"create virtual table temp.v{n} using fts5vocab(main, {table}, row)")
        for (word,) in connection.execute(f"select term from temp.v{n}"):
            yield word
    connection.close()


def unpacked(octets: bytes) -> Iterator[bytes]:
    """Yield what zstd frames and base64 runs in `octets` hold."""
    for m in re.finditer(re.escape(_MAGIC), octets):
        try:
            yield zstandard.ZstdDecompressor().decompressobj().decompress(octets[m.start() :])
        except zstandard.ZstdError:
            continue
    for run in re.findall(rb"[A-Za-z0-9+/\r\n]{60,}", octets):
        yield base64.b64decode(run[: len(run) // 4 * 4] + b"====", validate=False)


def files_of(data: Path) -> list[Path]:
    return sorted(p for p in data.rglob("*") if p.is_file())


def octets_of(path: Path) -> bytes:
    """What a file holds: nothing, when what serves the installation has just deleted it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def keys_of(data: Path) -> dict[str, bytes]:
    connection = apsw.Connection(str(data / "keys.db"))
    found = {
        from_bytes(i) if isinstance(i, bytes) else i: key
        for i, key in connection.execute("select id, key from key").fetchall()
        if key != bytes(32)
    }
    connection.close()
    return found


def holding(data: Path, octets: bytes) -> set[str]:
    return {p.name for p in files_of(data) if octets in octets_of(p)}


def letter(canary: str, to: list[str]) -> bytes:
    """A letter with the canary in every slot, backwards in its text, and in a large attachment."""
    attachment = base64.encodebytes((f"{canary} in a file. " * 6000).encode())
    body = (
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        + f"{canary} in the text, {accented(backwards(canary))}.\r\n".encode()
        + b"--b\r\nContent-Type: application/octet-stream\r\n"
        + f'Content-Disposition: attachment; filename="{canary}.bin"\r\n'.encode()
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + attachment.replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )
    return (
        mail(
            f"{canary} subject",
            "",
            From=f"{canary} <{canary}@sender.example>",
            To=f"{canary} <{to[0]}>",
            Cc=f"{canary}@copy.example",
            Message_ID=f"<{canary}@id.example>",
            References=f"<{canary}.0@id.example>",
            List_Id=f"{canary} <list.example>",
            MIME_Version="1.0",
            Content_Type='multipart/mixed; boundary="b"',
        )
        + body
    )
