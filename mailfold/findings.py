"""What is wrong with an installation, and what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.ports import EngineDown
from mailfold.wiring import House

LOW_SPACE = 1 << 30
"""Free octets below which a disk is called low."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check; `text` says what is wrong and what to do, or what was seen."""

    check: str
    ok: bool
    text: str


def findings(house: House) -> Iterator[Finding]:
    """Yield what each check found."""
    for check, look in _CHECKS.items():
        try:
            ok, text = look(house)
        except (EngineDown, OSError) as e:
            ok, text = False, f"can't be reached: {e}"
        yield Finding(check, ok, text)


def _folder(house: House) -> tuple[bool, str]:
    folder = house.settings.data
    if not folder.is_dir():
        return False, f"{folder} is not there; `mailfold serve` makes it"
    if not os.access(folder, os.W_OK):
        return False, f"{folder} can't be written to; give it to the user that runs mailfold"
    if folder.stat().st_mode & 0o077:
        return False, f"{folder} can be read by others; chmod 700 {folder}"
    return True, str(folder)


def _space(house: House) -> tuple[bool, str]:
    free = shutil.disk_usage(house.settings.data).free
    text = f"{free // (1 << 20)} MiB free"
    return (True, text) if free >= LOW_SPACE else (False, f"only {text}; make room")


def _log(house: House) -> tuple[bool, str]:
    return True, f"{sum(house.log.end('mailbox.events').values())} mailbox events"


def _keys(house: House) -> tuple[bool, str]:
    house.keys.secret()
    return True, "the installation's secret is there"


def _accounts(house: House) -> tuple[bool, str]:
    count = len(house.directory.accounts())
    if count == 0:
        return False, "there are no accounts; mailfold account add ADDRESS"
    return True, f"{count} accounts"


def _dead_letters(house: House) -> tuple[bool, str]:
    letters = house.dead.list()
    if letters:
        return False, f"{len(letters)} records wait; `mailfold dead list` says why"
    return True, "none"


def _lag(house: House) -> tuple[bool, str]:
    lag = house.lag.lag()
    if lag > house.settings.lag_slow:
        return False, f"{lag} mails wait to be judged; is `mailfold serve` running?"
    return True, f"{lag} mails wait to be judged"


_CHECKS: dict[str, Callable[[House], tuple[bool, str]]] = {
    "data folder": _folder,
    "disk": _space,
    "log": _log,
    "keys": _keys,
    "accounts": _accounts,
    "dead letters": _dead_letters,
    "lag": _lag,
}
