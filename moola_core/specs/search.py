"""A search over settings: which of them are tried, between which bounds, and for how long."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from math import prod
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import Field, field_validator, model_validator

from moola_core.errors import SpecError, nearest
from moola_core.metrics import METRICS, better
from moola_core.specs.choices import IMPORTED, JOINED
from moola_core.specs.finetune import Finetune
from moola_core.specs.part import SpecModel, build, change, named, settings

# What all trials share: otherwise their scores would differ for another reason than their settings.
SHARED = ("training.folds", "training.repeats", "training.seed", "training.embargo_bars")
WHY_SHARED = {
    "data": "all trials are of the same data",
    "faults": "it only plants a fault",
    "join": "a search trains models and joins none",
    "kind": "it says what the spec is",
    "preset": "it only names where the settings came from",
}
EXAMPLE = 'For example {"model.dropout": {"low": 0.1, "high": 0.6}, "model.layers": {"choices": [1, 2]}}.'
TRIED = 64  # combinations with other settings that are tried before a value is said to fit none


class Dimension(SpecModel):
    """The values of one setting that are tried: all between two bounds, or each of a few."""

    low: int | float | None = Field(None, description="the smallest value")
    high: int | float | None = Field(None, description="the largest value")
    log: bool = Field(False, description="values are drawn evenly in their logarithm")
    step: int | float | None = Field(None, gt=0, description="distance between the values; empty for any value")
    choices: tuple[Any, ...] | None = Field(None, description="the values, where they are a few and no range")

    @model_validator(mode="after")
    def _one_of_two(self) -> Dimension:
        if self.choices is not None:
            if (self.low, self.high, self.step, self.log) != (None, None, None, False):
                raise ValueError("a setting has either choices or a range from low to high, and not both")
            if not self.choices:
                raise ValueError("choices is empty; give at least one value")
            if any(same(one, other) for one, other in itertools.combinations(self.choices, 2)):
                raise ValueError("choices names a value twice; leave one of them out")
            return self
        if self.low is None or self.high is None:
            raise ValueError('a setting needs {"low": …, "high": …} or {"choices": […]}')
        if self.low >= self.high:
            raise ValueError(f"low={self.low} is not below high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log=true needs low above 0, and it is {self.low}")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other; leave one of them out")
        count = None if self.step is None else (self.high - self.low) / self.step
        if count is not None and abs(count - round(count)) > 1e-9 * max(1.0, count):
            raise ValueError(f"step={self.step} does not divide the range from {self.low} to {self.high}")
        return self

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that stand for all: the choices, or the bounds."""
        return self.choices if self.choices is not None else (self.low, self.high)

    def values(self, whole: bool) -> tuple[Any, ...] | None:
        """Every value, where they can be counted; whole: whether the setting is a whole number."""
        if self.choices is not None:
            return self.choices
        assert self.low is not None and self.high is not None
        step = self.step if self.step is not None else 1 if whole else None
        if step is None:
            return None
        return tuple(self.low + i * step for i in range(round((self.high - self.low) / step) + 1))

    def holds(self, value: Any, whole: bool) -> bool:
        """Whether the value of a setting is one of these."""
        own = self.values(whole)
        if own is not None:
            return any(same(value, one) for one in own)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low is not None and self.high is not None and self.low <= value <= self.high


class Search(SpecModel):
    """Trials of other settings on the same folds; the first trial has the settings as they are."""

    kind: Literal["search"] = "search"
    base: Finetune = Field(description="the settings of the first trial, and what all trials share")
    space: dict[str, Dimension] = Field(description="the settings that are tried, by their dotted names")
    trials: int = Field(20, ge=1, le=10_000, description="the largest number of trials, the first included")
    budget_s: float | None = Field(None, gt=0, description="seconds after which no trial begins; empty for no limit")
    sampler: Literal["tpe", "random"] = Field(
        "tpe", description="tpe proposes what resembles the best trials so far (TPE), random draws evenly"
    )
    metric: str = Field("f1_macro", description="the metric by which trials are compared")
    margin: float = Field(0.02, gt=0, le=0.5, description="differences within this count as equivalent")
    seed: int = Field(17, ge=0, le=2**31 - 1, description="random seed of the proposals and of the verdict")
    notes: tuple[str, ...] = Field((), description="what the reader of its result should know about how it was made")

    @field_validator("space", mode="before")
    @classmethod
    def _full_names(cls, space: Any) -> Any:
        """Settings by their dotted names."""
        if not isinstance(space, Mapping):
            raise SpecError("it is no object of settings.", where="space", hint=EXAMPLE)
        if not space:
            raise SpecError("it is empty.", where="space", hint=f"Name at least one setting to try. {EXAMPLE}")
        full: dict[str, Any] = {}
        for name, dimension in space.items():
            (key,) = named({str(name): None}, Finetune)
            if key in full:
                raise SpecError("the setting is named twice.", where=f"space, {key}", hint="Leave one of them out.")
            if not isinstance(dimension, Mapping | Dimension):
                raise SpecError("its values are no object.", where=f"space, {key}", hint=EXAMPLE)
            values = dimension.model_dump() if isinstance(dimension, Dimension) else dict(dimension)
            full[key] = build(Dimension, values, f"space, {key}")
        return full

    @field_validator("metric")
    @classmethod
    def _one_value(cls, metric: str) -> str:
        own = [name for name, one in METRICS.items() if one.compared and not one.by_class]
        if metric not in own:
            raise SpecError("trials cannot be compared by it.", where=f"metric={metric}", hint=nearest(metric, own))
        better(metric)
        return metric

    @model_validator(mode="after")
    def _possible(self) -> Search:
        for name, dimension in self.space.items():
            self._refuse_shared(name)
            self._refuse_unread(name)
            self._refuse_no_number(name, dimension)
        for name, dimension in self.space.items():
            for value in dimension.ends:
                self._refuse_misfit(name, value)
        return self

    def trial(self, changes: Mapping[str, Any]) -> Finetune:
        """The run of the trial that changes these settings. Raises SpecError where they contradict each other."""
        return change(self.base, dict(changes))

    def settings_of(self, spec: Finetune) -> dict[str, Any]:
        """The settings that the search tries, as they are in a spec."""
        every = settings(spec)
        return {name: every[name] for name in self.space}

    def is_whole(self, name: str) -> bool:
        """Whether the setting is a whole number."""
        return int in _kinds(name)

    @property
    def size(self) -> int | None:
        """How many different trials there can be; None where a setting takes any value of a range."""
        counts = [dimension.values(self.is_whole(name)) for name, dimension in self.space.items()]
        return None if any(own is None for own in counts) else prod(len(own or ()) for own in counts)

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Every possible trial, where they can be counted."""
        every = [dimension.values(self.is_whole(name)) or () for name, dimension in self.space.items()]
        for values in itertools.product(*every):
            yield dict(zip(self.space, values, strict=True))

    @property
    def estimators(self) -> tuple[str, ...]:
        """The models that its trials train."""
        own = self.space.get("estimator")
        return tuple(own.ends) if own is not None else (self.base.estimator,)

    def _refuse_shared(self, name: str) -> None:
        part = name.split(".")[0]
        why = "all trials share folds and seeds" if name in SHARED else WHY_SHARED.get(part, "")
        if why:
            raise SpecError(f"it cannot be searched: {why}.", where=f"space, {name}", hint="Leave it out of the space.")
        untrained = {IMPORTED, JOINED} & set(self.estimators)
        if name == "estimator" and untrained:
            raise SpecError(
                f"{', '.join(sorted(untrained))} cannot be trained.", where="space, estimator", hint="Leave it out."
            )

    def _refuse_unread(self, name: str) -> None:
        models = [change(self.base, {"estimator": one}) for one in self.estimators]
        if not any(model.reads(name) for model in models):
            raise SpecError(
                f"it has no effect: {', '.join(self.estimators)} does not read it.",
                where=f"space, {name}",
                hint="Leave it out of the space.",
            )

    def _refuse_no_number(self, name: str, dimension: Dimension) -> None:
        if dimension.choices is not None:
            return
        if not {int, float} & set(_kinds(name)):
            raise SpecError(
                "it is no number, so it has no range.", where=f"space, {name}", hint='Give {"choices": […]}.'
            )
        given = (dimension.low, dimension.high, dimension.step)
        if self.is_whole(name) and any(one is not None and one != round(one) for one in given):
            raise SpecError(
                "it is a whole number.", where=f"space, {name}", hint="Give whole numbers as low, high and step."
            )

    def _refuse_misfit(self, name: str, value: Any) -> None:
        """Raise SpecError for a value that the setting does not take, whatever the others are."""
        draw, first = random.Random(0), None
        others = {other: dimension.ends for other, dimension in self.space.items() if other != name}
        for _ in range(TRIED if others else 1):
            drawn: dict[str, Any] = {other: draw.choice(ends) for other, ends in others.items()} if first else {}
            try:
                self.trial({name: value} | drawn)
                return
            except SpecError as error:
                first = first or error
        assert first is not None
        raise SpecError(first.what, where=f"space, {name}", hint=first.hint)


def same(value: Any, other: Any) -> bool:
    """Whether two values of a setting are equal, lists in whatever form they are; true is not 1."""
    if isinstance(value, list | tuple) and isinstance(other, list | tuple):
        return list(value) == list(other)
    if isinstance(value, float) and isinstance(other, float):
        return abs(value - other) <= 1e-12 * max(abs(value), abs(other))
    return isinstance(value, bool) == isinstance(other, bool) and value == other


def _kinds(name: str) -> tuple[Any, ...]:
    """The types that the setting takes."""
    kind = settings(Finetune)[name].annotation
    return get_args(kind) if isinstance(kind, UnionType) or get_origin(kind) is Union else (kind,)
