"""Erasure, seen by a scanner that opens seals, unpacks zstd and reads every file."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailfold.mailboxes import open_mailbox
from mailfold.settings import load
from mailfold.wiring import House, open_house
from projections.rebuild import rebuild, roll_back
from projections.verify import verify
from schemas.identity import message_id
from tests.e2e.scanner import GONE, KEPT, Scan, Scanner, backwards, holding, keys_of, letter
from tests.system import DOMAIN, PASSWORD, System, wait_until

SHARED, LABEL, FILTER = "Tdbvmzjfsgkwp", "Zcfqtwnhjplgd", "Jxmdrkbwvqhst"
EVERYWHERE = {"Received.sealed", "Delivered.sealed", "content.digest"}
VERSIONS = (1, 2)
"""Of each projection: the one that is kept for a roll-back, and the live one."""


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


def rebuild_all(system: System) -> None:
    """Have two versions of each projection: each that is live is replaced and kept."""
    with house_of(system) as house:
        for versions in house.versions.values():
            assert rebuild(house.log, versions, clock=house.clock).version == VERSIONS[-1]


def roll_back_all(system: System) -> None:
    with house_of(system) as house:
        for versions in house.versions.values():
            assert roll_back(house.log, versions).version == VERSIONS[0]


def verified(system: System) -> None:
    with house_of(system) as house:
        for name, versions in house.versions.items():
            found = verify(house.log, versions, clock=house.clock)
            assert found is None, f"{name}: {found}"


def assert_everywhere(scan: Scan, canary: str) -> None:
    """The control: a scan finds what there is, in all versions of all projections."""
    assert scan.sealed >= EVERYWHERE
    assert "parts" in scan.files
    for n in VERSIONS:
        assert {f"mailbox-mailbox-{n}.db", f"contacts-contacts-{n}.db"} <= scan.files
        for word in (canary, backwards(canary)):
            assert (f"search-search-{n}.db", word.lower()) in scan.words


def as_read(system: System, name: str, canary: str) -> list[Any]:
    """What a reader is given of the mail with that canary: lists, content, files, people."""
    at_rest = system.process is None
    if at_rest:
        system.start()
    with system.api(f"{name}@{DOMAIN}") as api:
        found = api.get("/mailboxes/me/messages", params={"q": canary}).json()["messages"]
        told: list[Any] = [found]
        for m in found:
            paths = [f"/messages/{m['id']}?format={x}" for x in ("full", "original", "raw")]
            paths.append(f"/threads/{m['threadId']}")
            told += [api.get(path).content for path in paths]
            file = api.get(f"/messages/{m['id']}/attachments/2", follow_redirects=True)
            assert canary.encode() in file.content
            told.append(file.content)
        people = api.get("/mailboxes/me/contacts", params={"q": canary}).json()["contacts"]
        # The reader is a contact too, and every mail has a part in that.
        told.append([p for p in people if p["email"].startswith(canary.lower())])
    if at_rest:
        system.stop()
    return told


def prepare(system: System) -> None:
    if not system.served:  # type: ignore[attr-defined]
        system.stop()


def test_a_mail_of_one_recipient_is_gone_and_the_others_are_not(system: System) -> None:
    kept = send(system, KEPT, ["ann"])
    gone = send(system, GONE, ["ann"])
    rebuild_all(system)
    unchanged = as_read(system, "ann", KEPT)
    prepare(system)
    assert_everywhere(Scanner(system.data, GONE).scan(), GONE)
    keys = keys_of(system.data)
    older = system.data.parent / "older-keys.db"
    shutil.copyfile(system.data / "keys.db", older)
    ann = mailboxes(system)["ann"]
    destroyed = [keys[gone], keys[message_id(ann, gone)]]
    assert all(holding(system.data, k) for k in destroyed)
    control = Scanner(system.data, KEPT).scan()
    assert_everywhere(control, KEPT)

    system.run("erase", gone)

    assert Scanner(system.data, GONE).scan() == Scan()
    assert not any(holding(system.data, k) for k in destroyed)
    assert Scanner(system.data, KEPT).scan() == control
    assert (
        keys_of(system.data).items()
        == {k: v for k, v in keys.items() if v not in destroyed}.items()
    )
    verified(system)
    assert as_read(system, "ann", KEPT) == unchanged
    assert as_read(system, "ann", GONE) == [[], []]
    roll_back_all(system)
    verified(system)
    assert as_read(system, "ann", KEPT) == unchanged
    assert Scanner(system.data, GONE).scan() == Scan()
    assert "1 erased" not in system.run("erase", gone).stdout
    # A key file from before the erasure: what the log says is erased is erased again.
    if not system.served:  # type: ignore[attr-defined]
        shutil.copyfile(older, system.data / "keys.db")
        assert gone in keys_of(system.data)
        assert "2 keys" in system.run("erase", "--again").stdout
        assert not any(holding(system.data, k) for k in destroyed)
        assert kept in keys_of(system.data)
    system.run("erase", f"<{KEPT}@id.example>")
    assert Scanner(system.data, KEPT).scan() == Scan()
    verified(system)
    assert kept not in keys_of(system.data)
    system.stop()
    for canary in (GONE, KEPT):
        assert Scanner(system.data, canary).scan() == Scan()


def test_one_of_three_erases_and_the_mail_stays_for_two(system: System) -> None:
    mail_id = send(system, SHARED, ["ann", "bob", "cyd"])
    rebuild_all(system)
    unchanged = {name: as_read(system, name, SHARED) for name in ("ann", "cyd")}
    assert as_read(system, "bob", SHARED)[0]
    prepare(system)
    keys, boxes = keys_of(system.data), mailboxes(system)
    before = Scanner(system.data, SHARED).scan()
    assert_everywhere(before, SHARED)

    system.run("erase", mail_id, "--mailbox", f"bob@{DOMAIN}")

    own = keys[message_id(boxes["bob"], mail_id)]
    assert not holding(system.data, own)
    assert mail_id in keys_of(system.data)
    assert Scanner(system.data, SHARED).scan() == before
    verified(system)
    assert {name: as_read(system, name, SHARED) for name in ("ann", "cyd")} == unchanged
    assert as_read(system, "bob", SHARED) == [[], []]

    system.run("erase", mail_id)

    assert Scanner(system.data, SHARED).scan() == Scan()
    for key in (keys[mail_id], *(keys[message_id(b, mail_id)] for b in boxes.values())):
        assert not holding(system.data, key)
    verified(system)
    roll_back_all(system)
    verified(system)
    system.stop()
    assert Scanner(system.data, SHARED).scan() == Scan()


def test_removing_an_account_erases_all_that_it_has(system: System) -> None:
    send(system, GONE, ["ann"])
    shared = send(system, SHARED, ["ann", "bob"])
    with system.api(f"ann@{DOMAIN}") as api:
        api.post("/mailboxes/me/labels", json={"name": f"{LABEL} label"}).raise_for_status()
        sought = {"query": f'"{FILTER} sought"', "star": True}
        api.post("/mailboxes/me/filters", json=sought).raise_for_status()
    rebuild_all(system)
    unchanged = as_read(system, "bob", SHARED)
    prepare(system)
    keys, boxes = keys_of(system.data), mailboxes(system)
    for word in (GONE, LABEL, FILTER):
        assert Scanner(system.data, word).scan().files
    system.run("account", "remove", f"ann@{DOMAIN}")
    assert not holding(system.data, keys[boxes["ann"]])
    assert not holding(system.data, keys[message_id(boxes["ann"], shared)])
    for word in (GONE, LABEL, FILTER):
        assert Scanner(system.data, word).scan() == Scan()
    assert_everywhere(Scanner(system.data, SHARED).scan(), SHARED)
    verified(system)
    assert as_read(system, "bob", SHARED) == unchanged
    assert mailboxes(system).keys() == {"bob", "cyd"}
