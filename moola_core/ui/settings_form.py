"""The settings of a run as a form: made from the fields of the spec, so that a new setting appears here by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from moola_core.errors import SpecError
from moola_core.features.catalog import FEATURES, PRICE_PATH
from moola_core.specs import KINDS, change, settings, settings_diff
from moola_core.specs.choices import choices
from moola_core.ui.widgets import escape_markdown

PARTS = {
    "training": "Training",
    "objective": "Objective",
    "sampling": "Sampling",
    "spans": "Spans",
    "model": "Model",
    "transfer": "Transfer",
    "loss": "Loss",
    "features": "Features",
    "data": "Data",
    "faults": "Faults",
}
PAUSE, FIELD_PIXELS = "300ms", 248
PART, EVERY, SEARCH = "settings_part", "all_settings", "settings_search"
# The settings that matter first, of either kind of run.
FIRST = (
    "training.epochs",
    "training.learning_rate",
    "training.folds",
    "training.repeats",
    "training.batch_size",
    "training.seed",
    "objective.name",
    "sampling.labelled",
    "sampling.stride_bars",
    "model.encoder",
    "model.layers",
    "model.hidden",
    "model.dropout",
    "transfer.schedule",
    "loss.weighting",
    "spans.penalty",
    "features.columns",
    "data.exclude_grades",
)


@cache
def fields(kind: str) -> dict[str, FieldInfo]:
    """The settings of the form by name. Files are set by the pickers, and on the Overview how they are read."""
    of_checkpoints = {
        f"transfer.{name}" for name in ("checkpoint", "more_checkpoints", "fold_checkpoints", "encoder_name")
    }
    elsewhere = of_checkpoints | {"sampling.left_out"}  # a study fills in what belongs to one fold
    return {
        name: info
        for name, info in settings(KINDS[kind]).items()
        if name.split(".")[0] in PARTS
        and (not name.startswith("data.") or name == "data.exclude_grades")
        and name not in elsewhere
    }


def reads(base: Any, name: str) -> bool:
    """Whether a run of this spec reads the setting: models differ in it."""
    return base.kind != "finetune" or base.reads(name)


@dataclass(frozen=True)
class FormState:
    """A spec as far as it is typed: `spec` is None while something is wrong; `errors` by setting, "" for the whole."""

    spec: Any
    errors: dict[str, str]


def check(base: Any, typed: dict[str, Any]) -> FormState:
    """The base with what was typed, or what is wrong with each setting and with all together."""
    errors = {}
    for name, value in typed.items():
        problem = _problem(base, {name: value})
        # A rule between settings is reported once, for the whole; here only what is wrong with this one.
        if problem and name in problem:
            errors[name] = problem.split(": ", 1)[-1]
    if errors:
        return FormState(None, errors)
    problem = _problem(base, typed)
    return FormState(None, {"": problem}) if problem else FormState(change(base, typed), {})


def changed(base: Any, spec: Any) -> dict[str, tuple[Any, Any]]:
    """The settings of the form in which `spec` differs from the preset: name to (preset's, typed)."""
    return {name: pair for name, pair in settings_diff(base, spec).items() if name in fields(base.kind)}


def take_over(base: Any, text: str) -> str:
    """Type what `text` says, as a link or a button gives it: JSON of settings by name. Returns why it cannot be; empty when it was.

    What was typed before for this preset is dropped.
    """
    try:
        values = json.loads(text)
        known = {name: values[name] for name in values if name in fields(base.kind)}
    except (ValueError, TypeError):
        return "It is no JSON object of settings."
    for name in fields(base.kind):
        st.session_state.pop(_key(base, name), None)
    unknown = [str(name) for name in values if name not in known]
    for name, value in known.items():
        if (problem := check(base, {name: value}).errors.get(name)) is not None:
            unknown.append(f"{name} ({problem})")
            continue
        kind = fields(base.kind)[name].annotation
        is_kept = isinstance(value, bool) or get_origin(kind) is Literal or choices(fields(base.kind)[name])
        st.session_state[_key(base, name)] = (
            list(value) if get_origin(kind) is tuple else value if is_kept else _text(value)
        )
    return f"These settings are not known or not valid here: {', '.join(unknown)}." if unknown else ""


def form(base: Any, grades: list[str]) -> dict[str, Any]:
    """Draw the settings that matter first, or all of them by part and by search; return those that differ from the base's, as typed."""
    known = {name: info for name, info in fields(base.kind).items() if reads(base, name)}
    every = st.toggle(f"All settings ({len(known)})", key=EVERY, persist_state="session")
    for title, names in (_all(base, known) if every else _first(known)).items():
        if title:
            st.markdown(f"**{title}**")
        _draw(names, base, grades)
    values = settings(base)
    typed = {name: _typed(base, name, values[name]) for name in known}
    return {name: value for name, value in typed.items() if not _same(value, values[name])}


def _first(known: dict[str, FieldInfo]) -> dict[str, list[str]]:
    """The few settings that matter first, by group; in the order of `FIRST`."""
    groups: dict[str, list[str]] = {}
    for name in FIRST:
        if name in known:
            groups.setdefault(PARTS[name.split(".")[0]], []).append(name)
    return groups


def _all(base: Any, known: dict[str, FieldInfo]) -> dict[str, list[str]]:
    """Those of the selected part; or those that a search asks for, of all parts."""
    text = st.text_input(
        "Search", key=SEARCH, placeholder="name or meaning", live=PAUSE, persist_state="session", width=280
    )
    words = text.casefold().split()
    if words:
        matching = [name for name in known if all(word in _described(base, name) for word in words)]
        if not matching:
            st.caption("No setting has these words in its name or its meaning.")
        groups: dict[str, list[str]] = {}
        for name in matching:
            groups.setdefault(PARTS[name.split(".")[0]], []).append(name)
        return groups
    parts = [part for part in PARTS if any(name.startswith(f"{part}.") for name in known)]
    if st.session_state.get(PART) not in parts:
        st.session_state[PART] = "training"
    st.segmented_control(
        "Settings",
        parts,
        format_func=lambda name: PARTS[name],
        key=PART,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
        wrap=True,
    )
    part = st.session_state[PART]
    if part == "faults":
        st.caption("Switches that plant a fault on purpose, to see whether it is noticed.")
    return {"": [name for name in known if name.split(".")[0] == part]}


def _described(base: Any, name: str) -> str:
    """What a search looks through."""
    return f"{name} {name.replace('_', ' ')} {fields(base.kind)[name].description or ''}".casefold()


def _draw(names: list[str], base: Any, grades: list[str]) -> None:
    values = settings(base)
    # As many next to each other as there is room for: a column of a narrow page would cut what is chosen.
    with st.container(horizontal=True, gap="medium"):
        for name in names:
            with st.container(gap="xsmall", width=FIELD_PIXELS):
                _explained_field(base, name, values[name], grades)


def _explained_field(base: Any, name: str, standard: Any, grades: list[str]) -> None:
    """One setting with its meaning and, where it is wrong, why."""
    _field(base, name, standard, grades)
    value = _typed(base, name, standard)
    before = "none" if standard in (None, "", ()) else str(standard)
    mark = "" if _same(value, standard) else f":orange[:material/edit: preset: {escape_markdown(before)}.] "
    st.caption(f"{mark}{escape_markdown(str(fields(base.kind)[name].description or ''))}")
    problem = "" if _same(value, standard) else check(base, {name: value}).errors.get(name)
    if problem:
        st.markdown(f":red[:material/error: {escape_markdown(problem)}]")


def _key(base: Any, name: str) -> str:
    """Each preset has its own copy of what was typed."""
    return f"set_{base.kind}_{base.preset}_{name}"


def _field(base: Any, name: str, value: Any, grades: list[str]) -> None:
    info = fields(base.kind)[name]
    kind, names = info.annotation, choices(info)
    title = name.split(".")[1].replace("_", " ")
    key = _key(base, name)
    if names or get_origin(kind) is Literal:
        # A class of the user's own may be typed where the setting names a member of a registry.
        options = list(dict.fromkeys([*(names or get_args(kind)), value]))
        st.selectbox(
            title, options, index=options.index(value), key=key, accept_new_options=bool(names), persist_state="session"
        )
    elif kind is bool:
        st.toggle(title, value=value, key=key, persist_state="session")
    elif get_origin(kind) is tuple:
        options = list(dict.fromkeys([*(grades if name == "data.exclude_grades" else _columns()), *value]))
        st.multiselect(title, options, default=list(value), key=key, persist_state="session")
    else:
        st.text_input(title, value=_text(value), key=key, live=PAUSE, persist_state="session")


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:g}"


def _typed(base: Any, name: str, standard: Any) -> Any:
    """The setting's value as typed, whether or not its part is shown now; the standard one where nothing was typed."""
    kind = fields(base.kind)[name].annotation
    key = _key(base, name)
    if key not in st.session_state:
        return standard
    value = st.session_state[key]
    if get_origin(kind) is tuple:
        return tuple(value)
    if get_origin(kind) is Literal or kind is bool:
        return value
    if get_origin(kind) is UnionType and not value.strip():
        return None
    return value if kind is str else _number(value)


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


def _problem(base: Any, values: dict[str, Any]) -> str:
    try:
        change(base, values)
    except SpecError as error:
        return str(error)
    return ""
