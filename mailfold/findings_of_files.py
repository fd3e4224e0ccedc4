"""What is wrong with the files of an installation."""

from __future__ import annotations

import os
import shutil

from mailfold.settings import Settings
from mailfold.wiring import House, open_house
from mailfold.wiring.inspection import damages, log_file, sqlite_version
from schemas.topics import MAIL_RECEIVED

LOW_SPACE = 1 << 30
"""Free octets below which a disk is called low."""


def folder(settings: Settings) -> tuple[bool, str]:
    """Is the data folder there, ours, and nobody else's?"""
    path = settings.data
    if not path.is_dir():
        return False, f"{path} is not there; `mailfold account add ADDRESS` makes it"
    if not os.access(path, os.W_OK | os.X_OK):
        return False, f"{path} can't be written to; give it to the user that runs mailfold"
    if path.stat().st_mode & 0o077:
        return False, f"{path} can be read by others; chmod 700 {path}"
    return True, str(path)


def space(settings: Settings) -> tuple[bool, str]:
    """Is there room on the disk?"""
    free = shutil.disk_usage(settings.data).free
    text = f"{free // (1 << 20)} MiB free"
    return (True, text) if free >= LOW_SPACE else (False, f"only {text}; make room")


def sqlite(_settings: Settings) -> tuple[bool, str]:
    """Is it a SQLite that loses nothing?"""
    version, good = sqlite_version()
    return good, version if good else f"{version} can lose commits; install a newer apsw"


def missing(settings: Settings) -> tuple[bool, str]:
    """Are all files there that belong together?"""
    parts = {
        "the log": log_file(settings),
        "the keys": settings.keys_path,
        "the accounts": settings.accounts_path,
        "the large parts": settings.parts_path,
    }
    absent = {what: path for what, path in parts.items() if not path.exists()}
    if absent and not _has_mail(settings):
        return False, "nothing is set up yet; `mailfold account add ADDRESS` does it"
    if absent:
        names = ", ".join(f"{what} ({path.name})" for what, path in absent.items())
        return False, f"missing: {names}; put them back from a backup before you start mailfold"
    return True, "all there"


def _has_mail(settings: Settings) -> bool:
    if not log_file(settings).exists():
        # Keys are made when a mail is.
        return settings.keys_path.exists()
    with open_house(settings) as house:
        return any(house.log.end(MAIL_RECEIVED).values())


def pages(house: House) -> tuple[bool, str]:
    """Is every page of every file whole?"""
    broken = {name: words for name, words in damages(house) if words}
    if not broken:
        return True, "all whole"
    told = "; ".join(f"{name}: {words}" for name, words in broken.items())
    return False, f"{told}; stop mailfold and put the data folder back from a backup"
