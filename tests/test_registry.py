"""The registry itself, and that every module of a registry's folder registers a member."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import moola_core
from moola_core.errors import SpecError
from moola_core.registry import Registry

PACKAGE = Path(moola_core.__file__).parent
# A folder with one member or more in each module: its registry, and the modules that hold no member but what members are made of.
FOLDERS = {
    "market.readers": ("READERS", {"reader", "annotators", "compressed", "flat_tasks", "layout", "unnamed"}),
    "market.vendors": ("VENDORS", {"vendor"}),
    "estimators": ("ESTIMATORS", {"estimator", "forests", "storage", "tabular"}),
    "metrics": ("METRICS", {"influence", "metric"}),
    "models.encoders": ("ENCODERS", {"encoder"}),
    "training.weightings": ("WEIGHTINGS", {"weighting"}),
    "training.pretraining.objectives": ("OBJECTIVES", {"objective"}),
}


def modules(room: str) -> list[str]:
    return [path.stem for path in (PACKAGE / room.replace(".", "/")).glob("*.py") if path.stem != "__init__"]


def test_every_folder_whose_modules_are_all_imported_is_listed_here():
    importing = {
        ".".join(path.parent.relative_to(PACKAGE).parts)
        for path in PACKAGE.rglob("__init__.py")
        if "import_members(" in path.read_text(encoding="utf-8")
    }
    assert importing <= set(FOLDERS)


@pytest.mark.parametrize(
    ("room", "module"),
    [(room, module) for room, (_, bare) in FOLDERS.items() for module in sorted(set(modules(room)) - bare)],
)
def test_every_module_of_a_registrys_folder_registers_a_member(room, module):
    registry = getattr(import_module(f"moola_core.{room}"), FOLDERS[room][0])
    own = import_module(f"moola_core.{room}.{module}")
    members = [member for name, member in vars(own).items() if not name.startswith("_")] + [
        *getattr(own, "MEMBERS", ())
    ]
    assert any(member is known for known in registry.values() for member in members), (
        f"moola_core/{room.replace('.', '/')}/{module}.py registers nothing: see the registry in its folder"
    )


def test_every_check_of_the_doctor_is_registered():
    from moola_core.diagnostics.doctor import CHECKS

    folder = PACKAGE / "diagnostics" / "doctor"
    parents = {
        node.name: (path.stem, {ast.unparse(base) for base in node.bases})
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    shared = {name for name, (_, bases) in parents.items() if "Check" in bases} & set().union(
        *(bases for _, bases in parents.values())
    )  # what several checks have in common is none itself
    classes = {
        name: module for name, (module, bases) in parents.items() if bases & {"Check", *shared} and name not in shared
    }
    known = {type(check).__name__ for check in CHECKS.values()}
    missing = {name: f"doctor/{module}.py" for name, module in classes.items() if name not in known}
    assert classes and not missing, "decorate it with @register, and import its module in doctor/__init__.py"


def test_every_function_that_gives_blocks_is_a_section():
    from moola_core.sections.registry import SECTIONS

    made = {section.make for section in SECTIONS.values()}
    pattern = re.compile(r"^def (\w+)\(context: ReportContext\) -> (?:list\[Block\]|Sequence\[Block\])", re.MULTILINE)
    for path in (PACKAGE / "sections").glob("*.py"):
        own = import_module(f"moola_core.sections.{path.stem}")
        for name in pattern.findall(path.read_text(encoding="utf-8")):
            assert name.startswith("_") or getattr(own, name) in made, f"sections/{path.name}: {name} is not registered"


def test_names_are_the_members_own_and_unknown_ones_are_answered_with_the_nearest():
    colours: Registry[int] = Registry("colour")
    colours.add("red", 1)
    for name in ("", "red"):
        with pytest.raises(SpecError, match="cannot be added"):
            colours.add(name, 2)
    with pytest.raises(SpecError, match=r"unknown colour 'rad'\. Did you mean red"):
        colours["rad"]
    assert colours.get("rad") is None and "rad" not in colours and dict(colours) == {"red": 1}


def test_a_class_of_a_users_own_is_named_by_its_module():
    counters: Registry[type] = Registry("counter")
    assert counters.resolve("collections:Counter").__name__ == "Counter"
    for name in ("collections:Kounter", "no_such_module:Counter"):
        with pytest.raises(SpecError, match="cannot be imported"):
            counters.resolve(name)


def test_what_installed_packages_offer_is_loaded_when_the_registry_is_first_read(monkeypatch):
    colours: Registry[int] = Registry("colour", "colours.of.a.test")

    class Point:
        def load(self):
            colours.add("green", 2)

    monkeypatch.setattr(
        "moola_core.registry.metadata.entry_points", lambda group: [Point()] if group == colours.group else []
    )
    colours.add("red", 1)
    assert list(colours) == ["red", "green"] and len(colours) == 2
