"""Parts: frozen, validated, JSON-serialisable pieces of a spec; reading, changing and comparing them."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo

from moola_core.errors import SpecError, nearest
from moola_core.specs.aliases import SETTING_VALUES, renamed, reworded

# What only says where a spec came from or what it is: changing such a name would change no setting.
NAMED_ONLY = {
    "preset": (
        "only names where the settings came from",
        "Choose a preset with --preset, and change single settings of it with --set.",
    ),
    "kind": ("says what the spec is", "Use the command for it, such as `moola pretrain`."),
}


class SpecModel(BaseModel):
    """A frozen piece of a spec."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, values: Any) -> Any:
        """Settings that earlier versions called otherwise."""
        if not isinstance(values, dict):
            return values
        fields = cls.model_fields  # asked for once: the list of a store's runs reads thousands of specs
        old = {name: renamed(name) for name in values if name not in fields and renamed(name) in fields}
        if not old and SETTING_VALUES.keys().isdisjoint(values):
            return values
        return {old.get(name, name): reworded(name, value) for name, value in values.items()}


def build(kind: type[SpecModel], values: dict[str, Any], where: str = "") -> Any:
    """A part of a spec, or a whole one, from plain values.

    Parameters
    ----------
    kind : type of SpecModel
        For example `Finetune`.
    values : dict
        Plain values by field; those that are missing keep their defaults.
    where : str, optional
        What error messages call it.

    Returns
    -------
    SpecModel
        An instance of `kind`.

    Raises
    ------
    SpecError
        Names each wrong field, its rule and the nearest known name.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SpecError(_explain(kind, error), where=where) from None


def settings(spec: SpecModel | type[SpecModel], prefix: str = "") -> dict[str, Any]:
    """Every single setting by its dotted name.

    Parameters
    ----------
    spec : SpecModel or type of SpecModel
        A spec, or a kind of spec.
    prefix : str, optional
        Put before each name.

    Returns
    -------
    dict of str to Any
        The values of a spec; pydantic's ``FieldInfo`` of a kind of spec.
    """
    if isinstance(spec, type):
        return {f"{prefix}{name}": field for name, field in _fields(spec).items()}
    leaves: dict[str, Any] = {}
    for name, field in type(spec).model_fields.items():
        value = getattr(spec, name)
        if _is_part(field):
            leaves |= settings(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves


@cache
def _fields(kind: type[SpecModel]) -> dict[str, FieldInfo]:
    """The settings of a kind of spec by their dotted names, once: an investigation looks thousands of names up before its first run."""
    leaves: dict[str, FieldInfo] = {}
    for name, field in kind.model_fields.items():
        inner = _fields(cast(type[SpecModel], field.annotation)) if _is_part(field) else {"": field}
        leaves |= {f"{name}.{last}".rstrip("."): one for last, one in inner.items()}
    return leaves


def _is_part(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, SpecModel)


def change(spec: Any, changes: dict[str, Any]) -> Any:
    """A copy of a spec with settings changed.

    Parameters
    ----------
    spec : SpecModel
        The spec to copy; it stays as it is.
    changes : dict of str to Any
        Each setting by its dotted name or, where that is unique, by its last part. A text, as from ``--set``, is read as the setting's
        kind wants it: lists as ``a,b``, and an empty one as no value where the setting may be empty.

    Returns
    -------
    SpecModel
        Of the same kind.

    Raises
    ------
    SpecError
        For an unknown name, for a value that does not fit, and for a name that is no setting, such as ``preset``.
    """
    kind: type[SpecModel] = type(spec)
    values, known = spec.model_dump(), _fields(kind)
    for full, value in named(changes, kind).items():
        if full in NAMED_ONLY:
            why, instead = NAMED_ONLY[full]
            raise SpecError(f"{full} cannot be set: it {why}.", where=f"{full}={value}", hint=instead)
        *path, last = full.split(".")
        place = values
        for step in path:
            place = place[step]
        place[last] = _read(value, known[full].annotation) if isinstance(value, str) else value
    return build(kind, values)


def settings_diff(a: Any, b: Any) -> dict[str, tuple[Any, Any]]:
    """The settings in which two specs of a kind differ.

    Returns
    -------
    dict of str to tuple
        Dotted name to the values of `a` and of `b`; None where one of them has no such setting.
    """
    left, right = settings(a), settings(b)
    return {name: (left.get(name), right.get(name)) for name in left | right if left.get(name) != right.get(name)}


def assignment(name: str, value: Any) -> str:
    """What ``--set`` takes to set the setting to this value, quoted for a shell."""
    text = value if isinstance(value, str) else json.dumps(list(value) if isinstance(value, tuple) else value)
    return f"--set {shlex.quote(f'{name}={text}')}"


def spec_hash(part: SpecModel) -> str:
    """A short hash of a part's content: equal parts have equal digests."""
    return hashlib.sha256(json.dumps(part.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:16]


def full_name(name: str, kind: type[SpecModel]) -> str:
    """The dotted name of a setting that is given by that or, where it is unique, by its last part.

    Raises
    ------
    SpecError
        When there is no such setting, with the nearest name, or more than one.
    """
    known = _fields(kind)
    name = name if name in known else renamed(name)
    if name in known:
        return name
    matches = [full for full in known if full.rsplit(".", 1)[-1] == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SpecError(f"setting {name} is not unique.", hint=f"Use one of {', '.join(matches)}.")
    short = [full.rsplit(".", 1)[-1] for full in known]
    raise SpecError(
        f"unknown setting {name}.", hint=nearest(name, [*known, *short] if "." not in name else list(known))
    )


def named(changes: Mapping[str, Any], kind: type[SpecModel]) -> dict[str, Any]:
    """Changes by the dotted names of now, with values in the words of now. Raises SpecError as `full_name` does."""
    return {full_name(name, kind): reworded(name, value) for name, value in changes.items()}


def _read(text: str, kind: Any) -> Any:
    """What the text of a setting of this kind stands for.

    A text stays as it is, a list is written as ``a,b`` or as JSON, and everything else as JSON; none, true and false in any case. Nothing,
    or none where the setting may be empty, empties it.
    """
    kinds = get_args(kind) if isinstance(kind, UnionType) or get_origin(kind) is Union else (kind,)
    optional = type(None) in kinds
    if optional and text.strip().lower() in ("", "none"):
        return None
    if str in kinds:
        return text
    if any(get_origin(one) is tuple for one in kinds):
        return _listed(text)
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"true": True, "false": False}.get(text.lower(), text)


def _listed(text: str) -> Any:
    """The entries of a list that is written as ``a,b`` or as JSON."""
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return [entry.strip() for entry in text.split(",")] if text.strip() else []


def _explain(kind: type[SpecModel], error: ValidationError) -> str:
    known = _fields(kind)
    lines = []
    for problem in error.errors():
        name = ".".join(str(step) for step in problem["loc"]) or "spec"
        if problem["type"] == "extra_forbidden":
            parent = name.rpartition(".")[0]
            siblings = {
                full[len(parent) + 1 if parent else 0 :].split(".")[0] for full in known if full.startswith(parent)
            }
            lines.append(f"unknown setting {name}. {nearest(name.rpartition('.')[2], sorted(siblings))}")
        elif problem["type"] == "value_error":
            lines.append(problem["msg"].removeprefix("Value error, ") + ".")
        else:
            lines.append(f"{name}={problem['input']!r}: {problem['msg'][:1].lower()}{problem['msg'][1:]}.")
    return " ".join(lines)
