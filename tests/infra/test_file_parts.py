from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.parts.files import FileParts, RealDisk
from infra.ports import EngineDown
from infra.sqlite.connection import LOG
from infra.sqlite.file import SqliteFile
from infra.sqlite.references import SqliteReferences
from tests.contracts.log import mail_id
from tests.contracts.parts import PartStoreContract, part


@pytest.fixture
def references(tmp_path: Path) -> SqliteReferences:
    return SqliteReferences(SqliteFile(tmp_path / "log.db", LOG))


@pytest.fixture
def parts(tmp_path: Path, references: SqliteReferences) -> FileParts:
    return FileParts(tmp_path / "parts", references)


class TestFileParts(PartStoreContract):
    @pytest.fixture
    def parts(self, parts: FileParts) -> FileParts:
        return parts

    @pytest.fixture
    def reopen(self, tmp_path: Path, references: SqliteReferences) -> Callable[[], FileParts]:
        return lambda: FileParts(tmp_path / "parts", references)


def files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def test_a_part_that_is_known_gets_young_again(tmp_path: Path, parts: FileParts) -> None:
    name, data = part(1)
    parts.put(mail_id(1), {name: data})
    path = parts.path_of(name)
    os.utime(path, (1000, 1000))
    parts.put(mail_id(2), {name: data})
    assert os.stat(path).st_mtime > 1000
    assert len(files(tmp_path / "parts")) == 1


def test_each_mail_is_noted_for_its_parts(parts: FileParts, references: SqliteReferences) -> None:
    one, two = part(1), part(2)
    parts.put(mail_id(1), dict([one, two]))
    parts.put(mail_id(2), dict([two]))
    assert references.mails(one[0]) == [mail_id(1)]
    assert references.mails(two[0]) == [mail_id(1), mail_id(2)]


def test_a_part_is_free_when_no_mail_needs_it(references: SqliteReferences) -> None:
    one, two = part(1)[0], part(2)[0]
    references.add(mail_id(1), [one, two])
    references.add(mail_id(2), [two])
    assert references.remove(mail_id(1)) == [one]
    assert references.needed(two)
    assert references.remove(mail_id(2)) == [two]
    assert references.remove(mail_id(2)) == []


def test_parts_are_closed_to_other_users(tmp_path: Path, parts: FileParts) -> None:
    name, data = part(1)
    parts.put(mail_id(1), {name: data})
    assert stat.S_IMODE(os.stat(parts.path_of(name)).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "parts").st_mode) == 0o700


def test_a_disk_that_refuses_is_an_engine_that_is_down(tmp_path: Path, parts: FileParts) -> None:
    name, data = part(1)
    # A file where a folder has to be: refused to root too.
    (tmp_path / "parts" / name.hex()[:2]).write_bytes(b"")
    with pytest.raises(EngineDown):
        parts.put(mail_id(1), {name: data})
    with pytest.raises(EngineDown):
        parts.get(name)


def test_a_failed_write_leaves_no_file(tmp_path: Path, references: SqliteReferences) -> None:
    class Full(RealDisk):
        def rename(self, source: str, target: str) -> None:
            raise OSError(28, "No space left on device")

    parts = FileParts(tmp_path / "parts", references, Full())
    name, data = part(1)
    with pytest.raises(EngineDown):
        parts.put(mail_id(1), {name: data})
    assert files(tmp_path / "parts") == []
    assert not references.needed(name)
