"""Erasure, seen by a scanner that opens seals, unpacks zstd and reads every file."""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
import zstandard

from mailfold.mailboxes import open_mailbox
from mailfold.settings import load
from mailfold.wiring import House, open_house
from projections.verify import verify
from schemas.codec import decode, record_types, schema
from schemas.identity import from_bytes, message_id
from schemas.seal import SealError, unseal
from tests.system import DOMAIN, PASSWORD, System, mail, wait_until

CANARY = "Kanarienvogel"
_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass
class Scan:
    """Where canaries were found."""

    sealed: set[str] = field(default_factory=set)
    """Fields of records that a key opened."""
    files: set[str] = field(default_factory=set)
    """Folders and kinds of files that hold one openly."""


class Scanner:
    """Looks for one canary in a data folder; with the keys that are in keys.db and no others."""

    def __init__(self, data: Path, canary: str) -> None:
        self.data = data
        self.canary = canary.encode()
        self.keys = keys_of(data)

    def scan(self) -> Scan:
        found = Scan()
        for path in files_of(self.data):
            if self._in(path.read_bytes()):
                found.files.add(path.relative_to(self.data).parts[0])
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
        if self.canary.lower() in octets.lower():
            return True
        return any(self.canary.lower() in x.lower() for x in unpacked(octets))


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
    return {p.name for p in files_of(data) if octets in p.read_bytes()}


def letter(canary: str, to: list[str]) -> bytes:
    """A letter with the canary in every slot, and in a large attachment."""
    attachment = base64.encodebytes((f"{canary} in a file. " * 6000).encode())
    body = (
        b"--b\r\nContent-Type: text/plain\r\n\r\n"
        + f"{canary} in the text.\r\n".encode()
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


EVERYWHERE = {"Received.sealed", "Delivered.sealed", "content.digest"}


@contextlib.contextmanager
def house_of(system: System) -> Iterator[House]:
    """The installation from within, where a command line of its own would only take time."""
    with open_house(load(data=system.data)) as house:
        yield house


@pytest.fixture(params=["served", "stopped"])
def system(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[System]:
    made = System(tmp_path / "data", {"MAILFOLD_PARTS_GRACE": "1"})
    with house_of(made) as house:
        house.prepare()
        house.directory.add_domain(DOMAIN)
        for name in ("ann", "bob", "cyd"):
            account = house.directory.add_account(f"{name}@{DOMAIN}", PASSWORD)
            open_mailbox(house, account.mailbox_id)
    made.start()
    made.served = request.param == "served"  # type: ignore[attr-defined]
    yield made
    made.stop()


def send(system: System, canary: str, names: list[str]) -> str:
    to = [f"{n}@{DOMAIN}" for n in names]
    reply = system.send(letter(canary, to), to, f"{canary}@sender.example")
    mail_id = reply.split()[-1]
    with house_of(system) as house:
        for box in [a.mailbox_id for a in house.directory.accounts() if a.address in to]:
            wait_until(
                lambda b=box: house.reader.get(b, message_id(b, mail_id))[0], 60, "delivered"
            )
    return mail_id


def mailboxes(system: System) -> dict[str, str]:
    with house_of(system) as house:
        return {a.address.split("@")[0]: a.mailbox_id for a in house.directory.accounts()}


def verified(system: System) -> None:
    with house_of(system) as house:
        for name, versions in house.versions.items():
            found = verify(house.log, versions, clock=house.clock)
            assert found is None, f"{name}: {found}"


def prepare(system: System) -> None:
    if not system.served:  # type: ignore[attr-defined]
        system.stop()


def test_a_mail_of_one_recipient_is_gone_and_the_others_are_not(system: System) -> None:
    kept = send(system, CANARY + "kept", ["ann"])
    gone = send(system, CANARY + "gone", ["ann"])
    prepare(system)
    before = Scanner(system.data, CANARY + "gone").scan()
    assert before.sealed >= EVERYWHERE
    assert {"views", "parts"} <= before.files
    keys = keys_of(system.data)
    older = system.data.parent / "older-keys.db"
    shutil.copyfile(system.data / "keys.db", older)
    ann = mailboxes(system)["ann"]
    destroyed = [keys[gone], keys[message_id(ann, gone)]]
    assert all(holding(system.data, k) for k in destroyed)
    control = Scanner(system.data, CANARY + "kept").scan()

    system.run("erase", gone)

    after = Scanner(system.data, CANARY + "gone")
    assert after.scan() == Scan()
    assert not any(holding(system.data, k) for k in destroyed)
    assert Scanner(system.data, CANARY + "kept").scan() == control
    assert (
        keys_of(system.data).items()
        == {k: v for k, v in keys.items() if v not in destroyed}.items()
    )
    verified(system)
    assert "1 erased" not in system.run("erase", gone).stdout
    # A key file from before the erasure: what the log says is erased is erased again.
    if not system.served:  # type: ignore[attr-defined]
        shutil.copyfile(older, system.data / "keys.db")
        assert gone in keys_of(system.data)
        assert "2 keys" in system.run("erase", "--again").stdout
        assert not any(holding(system.data, k) for k in destroyed)
        assert kept in keys_of(system.data)
    system.run("erase", f"<{CANARY}kept@id.example>")
    assert Scanner(system.data, CANARY).scan() == Scan()
    verified(system)
    assert kept not in keys_of(system.data)


def test_one_of_three_erases_and_the_mail_stays_for_two(system: System) -> None:
    mail_id = send(system, CANARY, ["ann", "bob", "cyd"])
    prepare(system)
    keys, boxes = keys_of(system.data), mailboxes(system)
    before = Scanner(system.data, CANARY).scan()
    assert before.sealed >= EVERYWHERE

    system.run("erase", mail_id, "--mailbox", f"bob@{DOMAIN}")

    own = keys[message_id(boxes["bob"], mail_id)]
    assert not holding(system.data, own)
    assert mail_id in keys_of(system.data)
    assert Scanner(system.data, CANARY).scan() == before
    verified(system)

    system.run("erase", mail_id)

    assert Scanner(system.data, CANARY).scan() == Scan()
    for key in (keys[mail_id], *(keys[message_id(b, mail_id)] for b in boxes.values())):
        assert not holding(system.data, key)
    verified(system)


def test_removing_an_account_erases_all_that_it_has(system: System) -> None:
    send(system, CANARY, ["ann"])
    shared = send(system, CANARY + "shared", ["ann", "bob"])
    with system.api(f"ann@{DOMAIN}") as api:
        api.post("/mailboxes/me/labels", json={"name": f"{CANARY} label"}).raise_for_status()
        sought = {"query": f'"{CANARY} sought"', "star": True}
        api.post("/mailboxes/me/filters", json=sought).raise_for_status()
    prepare(system)
    keys, boxes = keys_of(system.data), mailboxes(system)
    system.run("account", "remove", f"ann@{DOMAIN}")
    assert not holding(system.data, keys[boxes["ann"]])
    assert not holding(system.data, keys[message_id(boxes["ann"], shared)])
    for word in (f"{CANARY} label", f"{CANARY} sought", f"{CANARY} subject"):
        assert Scanner(system.data, word).scan() == Scan()
    assert Scanner(system.data, CANARY + "shared").scan().sealed >= EVERYWHERE
    verified(system)
    assert mailboxes(system).keys() == {"bob", "cyd"}
