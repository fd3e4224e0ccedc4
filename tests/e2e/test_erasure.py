"""Erasure, seen by a scanner that opens seals, unpacks zstd and reads every file."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailfold.mailboxes import open_mailbox
from mailfold.settings import load
from mailfold.wiring import House, open_house
from projections.verify import verify
from schemas.identity import message_id
from tests.e2e.scanner import Scan, Scanner, holding, keys_of, letter
from tests.system import DOMAIN, PASSWORD, System, wait_until

CANARY = "Kanarienvogel"
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
