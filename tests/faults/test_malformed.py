"""What benchmarks/faults.py does with thousands of inputs, with fewer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moola_core import specs
from moola_core.errors import SpecError
from tests.faults.malformed import KINDS, Judge, Samples, inputs

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
parts = st.sampled_from(["data", "features", "model", "transfer", "loss", "training", "faults", "base", "arms", "runs"])


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return Samples(tmp_path_factory.mktemp("samples"))


@pytest.mark.parametrize("each", [10, pytest.param(120, marks=pytest.mark.soak)])
def test_every_malformed_input_is_answered_with_a_sentence(samples, each):
    judge = Judge(samples.folder)
    for kind, what, read in itertools.islice(inputs(samples, np.random.default_rng(11)), each * len(KINDS)):
        judge.look(kind, what, read)
    assert judge.wrong == {} and judge.counts["refused"] > 2 * each
    assert all(judge.counts[kind] == each for kind in KINDS)


@pytest.mark.parametrize("examples", [60, pytest.param(1000, marks=pytest.mark.soak)])
def test_any_json_is_a_spec_or_a_sentence(examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from([*specs.KINDS, "", "other"]), st.dictionaries(parts, trees, max_size=3))
    def holds(kind, values):
        try:
            specs.parse({"kind": kind, **values})
        except SpecError as error:
            assert str(error)

    holds()
