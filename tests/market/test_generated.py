"""Generated files: each is read right, or asked about and then right, or refused; none is wrong in silence."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter

import numpy as np
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import bars_from_arrays, load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.windows import load_windows
from moola_core.specs import ReadOptions, build
from tests.market import generated_files

MOST_QUESTIONS = 5  # the contract, the zone, the order of dates, the stamp and the scale may all be open in one file
ROUNDS = 3


def read(make, load):
    """How the file is read: `right`, `asked` (and right once answered as its writer knows) or `refused`; the questions."""
    values, asked = {}, []
    for _ in range(ROUNDS):
        try:
            result = load(build(ReadOptions, values))
        except OpenQuestions as error:
            asked += [question.id for question in error.questions]
            for question in error.questions:
                assert question.id in make.answers, f"{question} is asked of {make.what}"
                values[question.id] = make.answers[question.id]
            continue
        except DataError as error:
            return ("refused" if not asked else "refused after questions"), asked, str(error)
        return ("asked" if asked else "right"), asked, result
    raise AssertionError(f"asks without end: {asked} of {make.what}")


def check_bars(folder, seed):
    made = generated_files.bars_file(folder, np.random.default_rng([seed, 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        how, asked, bars = read(made, lambda reading: load_bars(made.path, reading))
    assert how in ("right", "asked"), f"seed {seed}: {how} {bars}: {made.what}"
    assert len(asked) <= MOST_QUESTIONS, f"seed {seed}: {asked}: {made.what}"
    assert np.array_equal(bars.time, made.time), f"seed {seed} {how}: {bars.time[:2]}, not {made.time[:2]}: {made.what}"
    assert np.allclose(bars.ohlc, made.ohlc, rtol=0, atol=1e-9), f"seed {seed}: other prices: {made.what}"
    return how, asked


def check_labels(folder, seed):
    rng = np.random.default_rng([seed, 2])
    times = np.datetime64("2024-01-02T23:00", "ns") + np.arange(2500) * np.timedelta64(60, "s")
    bars = bars_from_arrays(times, generated_files.walk(rng, 2500, 16800.0))
    made = generated_files.labels_file(folder, rng, times)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        how, asked, windows = read(made, lambda reading: load_windows(made.path, reading, bars))
    assert how in ("right", "asked"), f"seed {seed}: {how} {windows}: {made.what}"
    assert windows.bars == made.length, f"seed {seed} {how}: {windows.bars} bars: {made.what}"
    assert np.array_equal(windows.start_time, made.time), f"seed {seed} {how}: {windows.start_time[:2]}: {made.what}"
    assert windows.label.tolist() == made.label.tolist(), f"seed {seed}: {made.what}"
    assert np.array_equal(windows.start, made.start, equal_nan=True), f"seed {seed}: {windows.start}: {made.what}"
    assert np.array_equal(windows.end, made.end, equal_nan=True), f"seed {seed}: {windows.end}: {made.what}"
    return how, asked


def check_all(folder, seeds):
    counts = Counter()
    for seed, check in itertools.product(seeds, (check_bars, check_labels)):
        how, _ = check(folder, seed)
        counts[check.__name__, how] += 1
    return counts


def test_no_generated_file_is_read_wrong_in_silence(tmp_path):
    counts = check_all(tmp_path, range(50))
    assert all(counts[name, "right"] >= 10 for name in ("check_bars", "check_labels")), "not everything may be asked"


@pytest.mark.soak
def test_no_file_of_two_thousand_is_read_wrong_in_silence(tmp_path):
    counts = check_all(tmp_path, range(1000))
    assert all(counts[name, "right"] >= 200 for name in ("check_bars", "check_labels"))
