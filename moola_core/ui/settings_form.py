"""The settings of a run as a form: made from the fields of the spec, so that a new setting appears here by itself."""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from moola_core.errors import SpecError
from moola_core.features.catalog import FEATURES, PRICE_PATH
from moola_core.specs import Finetune, change, differences, settings
from moola_core.ui.widgets import literal

PARTS = {
    "training": "Training",
    "model": "Model",
    "loss": "Loss",
    "features": "Features",
    "data": "Data",
    "faults": "Faults",
}
FIELDS: dict[str, FieldInfo] = {
    name: info
    for name, info in settings(Finetune).items()
    # The picker chooses the files and the dialog on the Overview how they are read.
    if name.split(".")[0] in PARTS and (not name.startswith("data.") or name == "data.grades_left_out")
}
PAUSE = "300ms"


@dataclass(frozen=True)
class Draft:
    """A spec as far as it is typed: `spec` is None while something is wrong; `errors` by setting, "" for the whole."""

    spec: Finetune | None
    errors: dict[str, str]


def check(base: Finetune, typed: dict[str, Any]) -> Draft:
    """The base with what was typed, or what is wrong with each setting and with all together."""
    errors = {}
    for name, value in typed.items():
        problem = _problem(base, {name: value})
        # A rule between settings is told once, for the whole; here only what is wrong with this one.
        if problem and name in problem:
            errors[name] = problem.split(": ", 1)[-1]
    if errors:
        return Draft(None, errors)
    problem = _problem(base, typed)
    return Draft(None, {"": problem}) if problem else Draft(change(base, typed), {})


def changed(base: Finetune, spec: Finetune) -> dict[str, tuple[Any, Any]]:
    """The settings of the form in which `spec` differs from the preset: name to (preset's, typed)."""
    return {name: pair for name, pair in differences(base, spec).items() if name in FIELDS}


def form(base: Finetune, grades: list[str]) -> dict[str, Any]:
    """Draw every setting, by part, and return those whose value differs from the base's, as typed."""
    typed: dict[str, Any] = {}
    tabs = st.tabs(list(PARTS.values()))
    for part, tab in zip(PARTS, tabs, strict=True):
        with tab:
            if part == "faults":
                st.caption("Switches that plant a fault on purpose, to see whether it is noticed.")
            typed |= _part(part, base, grades)
    return typed


def _part(part: str, base: Finetune, grades: list[str]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    values = settings(base)
    names = [name for name in FIELDS if name.split(".")[0] == part]
    for pair in zip(names[::2], [*names[1::2], *[""] * (len(names) % 2)], strict=True):
        for column, name in zip(st.columns(2, gap="medium"), pair, strict=True):
            if name:
                with column, st.container(gap="xsmall"):
                    typed |= _told(name, values[name], base, grades)
    return typed


def _told(name: str, standard: Any, base: Finetune, grades: list[str]) -> dict[str, Any]:
    """One setting with its meaning and, where it is wrong, why; returns it if it differs from the base's."""
    value = _field(name, standard, base.preset, grades)
    st.caption(literal(str(FIELDS[name].description or "")))
    if _same(value, standard):
        return {}
    problem = check(base, {name: value}).errors.get(name)
    if problem:
        st.markdown(f":red[:material/error: {literal(problem)}]")
    return {name: value}


def _field(name: str, value: Any, preset: str, grades: list[str]) -> Any:
    kind = FIELDS[name].annotation
    title = name.split(".")[1].replace("_", " ")
    key = f"set_{preset}_{name}"
    if get_origin(kind) is Literal:
        options = list(get_args(kind))
        return st.selectbox(title, options, index=options.index(value), key=key)
    if kind is bool:
        return st.toggle(title, value=value, key=key)
    if get_origin(kind) is tuple:
        options = grades if name == "data.grades_left_out" else _columns()
        return tuple(st.multiselect(title, list(dict.fromkeys([*options, *value])), default=list(value), key=key))
    text = st.text_input(title, value="" if value is None else f"{value:g}", key=key, live=PAUSE)
    if get_origin(kind) in (UnionType,) and not text.strip():
        return None
    return _number(text)


def _columns() -> list[str]:
    return ["relativity", "price_path", *(feature.name for feature in (*FEATURES, *PRICE_PATH))]


def _number(text: str) -> Any:
    """The number that was typed, or the text as it is, for the spec to refuse."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def _same(a: Any, b: Any) -> bool:
    return (type(a) is type(b) and a == b) or (isinstance(a, int | float) and isinstance(b, int | float) and a == b)


def _problem(base: Finetune, values: dict[str, Any]) -> str:
    try:
        change(base, values)
    except SpecError as error:
        return str(error)
    return ""
