"""Arrays of any kind: taken as what they hold, or refused with the argument, its shape and the expected one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from moola_core.errors import DataError, MoolaError, SpecError
from moola_core.market.bars import bars_from_arrays
from moola_core.market.windows import windows_from_arrays

N, K = 6, 20
Form = Callable[[np.ndarray], Any]
NUMBERS: dict[str, Form] = {
    "array": lambda a: a,
    "float32": lambda a: a.astype(np.float32),
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(map(tuple, a)) if a.ndim > 1 else tuple(a),
    "tensor": torch.tensor,
    "tensor with a gradient": lambda a: torch.tensor(a, requires_grad=True),
    "fortran": np.asfortranarray,
    "reversed twice": lambda a: a[::-1][::-1],
    "objects": lambda a: a.astype(object),
    "masked": lambda a: np.ma.masked_array(a, np.zeros(a.shape, bool)),
    "big endian": lambda a: a.astype(">f8"),
    "read only": lambda a: np.frombuffer(a.tobytes()).reshape(a.shape),
}
COLUMNS: dict[str, Form] = {
    "array": lambda a: a,
    "list": list,
    "tuple": tuple,
    "series": lambda a: pd.Series(a, index=range(100, 100 + len(a))),
    "objects": lambda a: np.array(a, object),
    "generator": lambda a: (value for value in a),
    "index": pd.Index,
    "nullable": lambda a: pd.Series(a).convert_dtypes(),
}


def prices(seed: int = 0, n: int = N) -> np.ndarray:
    rng = np.random.default_rng(seed)
    close = 100 + rng.integers(-8, 9, (n, K)).cumsum(1) / 4.0
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    return np.stack([opened, np.maximum(opened, close) + 0.25, np.minimum(opened, close) - 0.25, close], axis=-1)


def given(seed: int = 0) -> dict[str, Any]:
    return {
        "prices": prices(seed),
        "label": np.array(["a", "b"] * (N // 2)),
        "expansion_start": np.arange(N, dtype=float),
        "expansion_end": np.arange(N) + 5.0,
        "window_id": np.array([f"id{i}" for i in range(N)]),
        "grade": np.array(list("ABCABC")),
    }


def windows(arrays: dict[str, Any]):
    return windows_from_arrays(
        arrays["prices"], arrays["label"], **{k: v for k, v in arrays.items() if k not in ("prices", "label")}
    )


def check_same(made, expected) -> None:
    for name in ("prices", "label", "start", "end", "window_id", "grade"):
        ours, theirs = getattr(made, name), getattr(expected, name)
        same = (
            np.allclose(ours, theirs, rtol=1e-6, equal_nan=True) if ours.dtype.kind == "f" else (ours == theirs).all()
        )
        assert same, name


def any_kind(seed: int) -> None:
    """Windows of arrays of random kinds are those of plain arrays."""
    rng = np.random.default_rng(seed)
    arrays = given(seed)
    made = dict(arrays)
    for name, values in arrays.items():
        numbers = name == "prices" or (values.dtype.kind == "f" and rng.random() < 0.7)
        forms = NUMBERS if numbers else COLUMNS
        made[name] = forms[str(rng.choice(list(forms)))](values)
    check_same(windows(made), windows(arrays))


@pytest.mark.parametrize("seed", range(25))
def test_any_kind_of_array_gives_the_same_windows(seed):
    any_kind(seed)


@pytest.mark.soak
def test_1000_sets_of_arrays_give_the_same_windows():
    for seed in range(1000, 2000):
        any_kind(seed)


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        ([0, 1] * 3, ("0", "1")),
        ([True, False] * 3, ("False", "True")),
        ([1.0, 2.0] * 3, ("1", "2")),
        (torch.tensor([0, 1] * 3), ("0", "1")),
        (np.array([b"a", b"b"] * 3), ("a", "b")),
        (pd.Categorical(["x", "y"] * 3), ("x", "y")),
        (pd.Series([1, 2] * 3, dtype="Int64"), ("1", "2")),
    ],
)
def test_classes_are_texts_whole_numbers_or_truth_values(label, classes):
    assert windows_from_arrays(prices(), label).classes == classes


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "flat prices": ({"prices": prices().reshape(N, -1)}, r"prices has shape \(6, 80\).*\(windows, bars, 4\)"),
    "five prices": ({"prices": prices().repeat(2, 2)[..., :5]}, r"prices has shape \(6, 20, 5\)"),
    "one window": ({"prices": prices()[0]}, r"prices has shape \(20, 4\)"),
    "ragged": ({"prices": [prices()[0].tolist(), prices()[1, :5].tolist()]}, "prices is ragged"),
    "text prices": ({"prices": prices().astype(str)}, "prices holds text"),
    "truth values": ({"prices": prices() > 100}, "prices holds truth values"),
    "complex": ({"prices": prices().astype(complex)}, "prices holds complex numbers"),
    "nothing": ({"prices": None}, "prices"),
    "a word": ({"prices": "prices"}, "prices"),
    "holes": ({"prices": np.where(prices() == prices().max(), np.nan, prices())}, "missing or infinite"),
    "infinite": ({"prices": prices() * np.inf}, "missing or infinite"),
    "short label": ({"label": ["a", "b"]}, r"label has shape \(2,\).*\(6,\)"),
    "long label": ({"label": ["a", "b"] * 9}, r"label has shape \(18,\).*\(6,\)"),
    "one label": ({"label": "a"}, "label is a str.*6 values"),
    "number as label": ({"label": 3}, "label is an int"),
    "table of labels": ({"label": np.array([["a"], ["b"]] * 3)}, r"label has shape \(6, 1\)"),
    "lists of labels": ({"label": [["a"], ["b"]] * 3}, "label holds sequences"),
    "missing label": ({"label": ["a", None] * 3}, "label is missing in row 1"),
    "nan label": ({"label": [1.0, np.nan] * 3}, "label is missing in row 1"),
    "fraction as label": ({"label": [0.5, 1.0] * 3}, r"label is 0\.5, which is no class in row 0"),
    "start alone": ({"expansion_end": None}, "expansion_start is given alone"),
    "end alone": ({"expansion_start": None}, "expansion_end is given alone"),
    "short pointer": ({"expansion_start": [1.0, 2.0]}, r"expansion_start has shape \(2,\).*\(6,\)"),
    "text pointer": ({"expansion_start": ["soon"] * N}, "expansion_start is soon in a window, which is no bar number"),
    "true pointer": ({"expansion_start": [True] * N}, "expansion_start holds"),
    "pointer outside": ({"expansion_end": np.full(N, 500.0)}, "outside the window"),
    "twice the same id": ({"window_id": ["x"] * N}, "occurs twice"),
    "unknown keyword": ({"expansion_strat": np.arange(N)}, "no argument expansion_strat. Did you mean expansion_start"),
    "time that is none": ({"start_time": ["yesterday-ish"] * N}, "time"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_arguments_are_refused_by_name(name):
    changes, words = REFUSED[name]
    with pytest.raises((DataError, SpecError), match=words):
        windows(given() | changes)


def test_a_missing_pointer_is_none_and_fractions_are_bars():
    arrays = given()
    part = arrays | {
        "expansion_start": [np.nan, *np.arange(1, N)],
        "expansion_end": pd.Series([pd.NA, *range(6, 6 + N - 1)], dtype="Int64"),
    }
    assert windows(part).has_pointer.tolist() == [False, *[True] * (N - 1)]
    fractions = windows(arrays | {name: arrays[name] / K for name in ("expansion_start", "expansion_end")})
    check_same(fractions, windows(arrays))
    assert any("fractions of the window" in note for note in fractions.report.warnings)


def test_bars_are_taken_from_any_kind_of_array_too():
    time = np.datetime64("2024-01-02T10:00", "ns") + np.arange(N * K) * np.timedelta64(60, "s")
    ohlc = prices(n=1)[0].repeat(N, 0)
    expected = bars_from_arrays(time, ohlc, volume=np.ones(N * K))
    for moments in (
        list(time),
        pd.DatetimeIndex(time),
        pd.Series(time).dt.tz_localize("UTC").dt.tz_convert("America/New_York"),
        time.astype("datetime64[s]"),
        pd.Series(time).dt.to_pydatetime(),
    ):
        made = bars_from_arrays(moments, pd.DataFrame(ohlc, columns=list("ohlc")), volume=torch.ones(N * K))
        assert (made.time == expected.time).all() and (made.ohlc == expected.ohlc).all()
    for changes, words in (
        ({"time": time[:3]}, r"time has shape \(3,\).*\(120,\)"),
        ({"time": np.arange(N * K)}, "time holds numbers"),
        ({"time": ["noon"] * (N * K)}, "no time"),
        ({"ohlc": ohlc[:, :3]}, r"ohlc has shape \(120, 3\).*\(bars, 4\)"),
        ({"volume": np.ones(3)}, r"volume has shape \(3,\)"),
        ({"volumes": np.ones(N * K)}, "no argument volumes. Did you mean volume"),
    ):
        arrays = {"time": time, "ohlc": ohlc} | changes
        with pytest.raises(MoolaError, match=words):
            bars_from_arrays(arrays.pop("time"), arrays.pop("ohlc"), **arrays)
