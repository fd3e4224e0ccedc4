from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from infra.registry.file import FileRegistry, UnknownSchema

INT = '{"type": "int"}'
LONG = '{"type": "long"}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "schemas.json"


def test_an_id_is_given_once(file: Path) -> None:
    registry = FileRegistry(file)
    assert registry.register("a", INT) == registry.register("a", INT)


def test_ids_survive_a_restart_and_are_never_given_again(file: Path) -> None:
    first = FileRegistry(file).register("a", INT)
    again = FileRegistry(file)
    second = again.register("a", LONG)
    assert again.register("a", INT) == first
    assert second != first
    assert [(e.version, e.id) for e in again.entries()] == [(1, first), (2, second)]


def test_one_schema_has_one_id_in_all_subjects(file: Path) -> None:
    registry = FileRegistry(file)
    assert registry.register("a", INT) == registry.register("b", INT)
    assert [e.subject for e in registry.entries()] == ["a", "b"]


def test_spaces_and_key_order_are_no_difference(file: Path) -> None:
    registry = FileRegistry(file)
    one = registry.register("a", '{"type": "fixed", "size": 4, "name": "n"}')
    assert registry.register("a", '{ "name":"n","type":"fixed",\n"size":4 }') == one


def test_an_id_tells_its_subject_and_schema_in_another_process(file: Path) -> None:
    reader = FileRegistry(file)
    with pytest.raises(UnknownSchema):
        reader.subject(1)
    id = FileRegistry(file).register("topic-mailfold.Received", LONG)
    assert reader.subject(id) == "topic-mailfold.Received"
    assert json.loads(reader.schema(id)) == {"type": "long"}


def register_all(file: Path) -> list[int]:
    registry = FileRegistry(file)
    return [registry.register("s", f'{{"type": "fixed", "size": {n}}}') for n in range(1, 11)]


def test_processes_that_register_at_once_get_the_same_ids(file: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(register_all, [file] * 3)
    assert found[0] == found[1] == found[2]
    assert sorted(found[0]) == list(range(1, 11))
