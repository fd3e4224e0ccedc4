"""What is wrong with an installation, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from mailfold import findings_of_files as files
from mailfold import findings_of_mail as mail
from mailfold.advice import advice
from mailfold.settings import Settings
from mailfold.wiring import House, open_house
from streams.topology import PROJECTIONS

T = TypeVar("T")

Found = tuple[bool, str]
"""Whether it is well, and what is wrong and what to do about it, or what was seen."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check; `text` says what is wrong and what to do, or what was seen."""

    check: str
    ok: bool
    text: str


def findings(settings: Settings, *, deep: bool = False) -> Iterator[Finding]:
    """Yield what each check found; a `deep` one reads all files through.

    No key or account is made: when files are missing, what rests on them is not looked at.
    """
    for check, look in _ON_DISK.items():
        ok, text = _found(settings, look)
        yield Finding(check, ok, text)
        if not ok and check in _NEEDED:
            return
    with open_house(settings) as house:
        for check, look_in in (_IN_HOUSE | (_DEEP if deep else {})).items():
            yield Finding(check, *_found(house, look_in))


def _found(where: T, look: Callable[[T], Found]) -> Found:
    try:
        return look(where)
    except Exception as e:
        text = advice(e)
        if text is None:
            raise
        return False, text


def _dead_letters(house: House) -> Found:
    letters = house.dead.list()
    if letters:
        return False, f"{len(letters)} records wait; `mailfold dead list` says why"
    return True, "none"


def _accounts(house: House) -> Found:
    count = len(house.directory.accounts())
    if count == 0:
        return False, "there are none; make one with `mailfold account add ADDRESS`"
    return True, f"{count}"


def _postmaster(house: House) -> Found:
    name = house.settings.postmaster
    if name and house.directory.resolve(name) is None:
        return False, f"{name} is no account here; set postmaster to one that is"
    return True, name or "the account that was made first"


_ON_DISK: dict[str, Callable[[Settings], Found]] = {
    "data folder": files.folder,
    "disk": files.space,
    "SQLite": files.sqlite,
    "files": files.missing,
}
_NEEDED = ("data folder", "SQLite", "files")

_IN_HOUSE: dict[str, Callable[[House], Found]] = {
    "log": mail.log,
    "clock": mail.clock,
    "keys": mail.keys,
    "accounts": _accounts,
    "postmaster": _postmaster,
    "stages": mail.stages,
    "dead letters": _dead_letters,
    "forwarding": mail.forwarding,
    **{f"projection {p.name}": partial(mail.projection, name=p.name) for p in PROJECTIONS},
}
_DEEP: dict[str, Callable[[House], Found]] = {"every page": files.pages}
