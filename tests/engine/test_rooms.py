"""The engine's rooms: every file has one, imports go up alone, nothing goes in circles, and no file or folder swells."""

import ast
import re

import pytest

from support.imports import arrows, files, folder, imports, is_face
from support.rooms import ORDER, is_leaf, rank

ROOMED = [name for name in files() if name not in ("", "__main__")]
"""All files but the face of all and the program, which stand below every room."""


def test_every_file_stands_in_a_room() -> None:
    assert [name for name in ROOMED if not is_leaf(name) and folder(name) not in ORDER] == []
    assert set(ORDER) == {folder(name) for name in ROOMED if not is_leaf(name)}


@pytest.mark.parametrize("name", ROOMED)
def test_imports_go_up_alone(name: str) -> None:
    for other, where in arrows(name):
        assert other, f"{name}:{where.line} imports the face of all"
        beside = folder(other) == folder(name) or (is_leaf(name) and is_leaf(other))
        assert rank(other) < rank(name) or beside, f"{name}:{where.line} imports {other}, which does not stand above it"


def test_no_command_imports_another() -> None:
    """What two commands print or share is in ``cli/parts``; groups of commands are joined in ``cli/app.py``."""
    commands = [name for name in files() if folder(name) == "cli.commands" and not is_face(name)]
    assert len(commands) > 10
    taken = {name: [other for other, _ in arrows(name) if folder(other) == "cli.commands"] for name in commands}
    assert {name: others for name, others in taken.items() if others} == {}


def test_no_circle_among_files() -> None:
    left = {name: {other for other, _ in arrows(name)} for name in files()}
    while ready := {name for name in left if not left[name] & left.keys()}:
        left = {name: others for name, others in left.items() if name not in ready}
    while unread := {name for name in left if not any(name in others for others in left.values())}:
        left = {name: others for name, others in left.items() if name not in unread}
    assert {name: sorted(others & left.keys()) for name, others in left.items()} == {}


def test_folders_and_files_stay_small() -> None:
    held = [folder(name) for name in files() if not is_face(name)]
    assert {place: held.count(place) for place in held if held.count(place) > 15} == {}
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in files().items()}
    assert {name: length for name, length in lengths.items() if length > 350} == {}
    tops = {name.split(".")[0] for name in files()}
    assert len(tops) <= 15 + 5  # rooms, and what stands above or below them all


def test_no_private_name_is_taken_from_another_file() -> None:
    taken = [
        f"{name}:{each.line} {each.module} {each.name}"
        for name in files()
        for each in imports(name)
        if each.module.startswith("onnxray") and re.search(r"(^|\.)_(?!_)", f"{each.module}.{each.name}")
    ]
    assert [entry for entry in taken if not entry.endswith("onnxray._version __version__")] == []


DEFINING_FACES = ("", "methods", "importer.ops")
"""Faces that do more than hand names on: they look names up lazily, or hold the table of converters."""


@pytest.mark.parametrize("name", [name for name in files() if is_face(name) and name not in DEFINING_FACES])
def test_a_face_hands_names_on_and_defines_nothing(name: str) -> None:
    said, *rest = ast.parse(files()[name].read_text(encoding="utf-8")).body
    assert isinstance(said, ast.Expr), "it says what the folder is"
    for statement in rest:
        listed = isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
        assert listed or isinstance(statement, ast.ImportFrom), ast.unparse(statement)


HEAVY = {
    "torch": r"importer(\..*)?|engines\.(twin|cotangents|relevance\..*|agreement\..*)|model\.to_torch|objectives\..*"
    r"|methods\.synthesis\.ascent\..*|methods\.attack\.decision\.surrogate_training|training\..*",
    "onnx2torch": r"importer\.onnx2torch_bridge",
    "onnxruntime": r"engines\.(judge|machine|processor)",
    "matplotlib": r"images\.drawing\..*|report\..*",
}
"""The files that may import a heavy library at once; elsewhere it is imported within a function, or not at all."""


@pytest.mark.parametrize("library", sorted(HEAVY))
def test_heavy_libraries_are_imported_in_their_own_rooms_alone(library: str) -> None:
    users = {name: each for name in files() for each in imports(name) if each.module.split(".")[0] == library}
    assert users, "nothing imports it at all"
    eager = [name for name, each in users.items() if not each.inner and not each.typed]
    assert [name for name in eager if not re.fullmatch(HEAVY[library], name)] == []


LOOKED_UP = {
    "": "the face of all, which imports what is asked for",
    "methods.catalogue": "the methods, by the files in its own folder",
    "assess.audit.catalogue": "the checks, by the files in the folder of its own",
    "notebooks.displayed": "what draws a value, when it is shown",
    "display.displays": "the files beside it",
    "cli.commands.audit.run": "the adapter for Ray, where it is asked for",
    "cli.lazy_group": "commands, when they are called",
    "cli.parts.limits": "a command, in a process of its own",
    "importer.onnx2torch_bridge": "converters of onnx2torch",
}
"""The files that import others by their names, which no arrow shows, and what for."""


def test_few_files_import_by_name() -> None:
    found = {name for name, path in files().items() if "import_module(" in path.read_text(encoding="utf-8")}
    assert found == LOOKED_UP.keys()
