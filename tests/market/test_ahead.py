"""What a study would pre-train on: counted for each choice of what it may see of the labelled windows, before anything starts."""

from __future__ import annotations

import re

import numpy as np
import pytest

from moola_core import studies
from moola_core.errors import DataError, SpecError
from moola_core.market.ahead import held_out, refuse_pretraining
from moola_core.market.known import first_bars
from moola_core.market.unlabelled import HeldOut, candidates, choices, listed, refuse_too_few
from moola_core.market.windows import overlap
from moola_core.specs import Pretrain, change


@pytest.fixture(scope="module")
def study(demo_files):
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    return studies.study("transfer", "quick", data, {"repeats": 4, "folds": 5})


def test_the_expected_folds_hold_out_a_test_and_an_inner_part_and_tear_no_group_apart(demo, study):
    held = held_out(study, study.pretrain, demo.windows)
    kept, _ = demo.windows.trainable()
    group = dict(zip(kept.position, overlap(kept).groups(5), strict=True))
    assert len(held.folds) == 5 and set(np.concatenate(held.folds)) == set(kept.position)
    for first in held.folds:
        assert len(first) / len(kept) == pytest.approx(0.2 + 0.2 * 0.8, abs=0.12)
    sizes = {g: sum(other == g for other in group.values()) for g in group.values()}
    torn = [
        g for first in held.folds for g in {group[p] for p in first} if sum(group[p] == g for p in first) < sizes[g]
    ]
    assert len(torn) <= 2 * len(held.folds), "only the groups at the two ends of what a fold holds out"


def test_each_choice_leaves_what_counting_window_by_window_leaves(demo, study):
    rng, ids = np.random.default_rng(4), demo.windows.window_id.astype(str)
    folds = [rng.choice(ids, 20, replace=False) for _ in range(20)]
    held = held_out(study, study.pretrain, demo.windows, folds)
    every = choices(demo.bars, study.pretrain, held)
    assert [one.labelled for one in every] == ["exclude", "per_fold", "see"]
    assert [one.pretrainings for one in every] == [3, 20, 3]
    whole = first_bars([demo.windows], 105)
    left = [[whole], [first_bars([demo.windows.select(np.isin(ids, fold))], 105) for fold in folds], [whole]]
    for one, parts in zip(every, left, strict=True):
        spec = change(study.pretrain, {"sampling.labelled": one.labelled})
        counts = [sum(map(len, candidates(demo.bars, spec, part)[:2])) for part in parts]
        assert (one.fewest, one.most) == (min(counts), max(counts))
    assert every[0].most < every[1].fewest < every[2].fewest
    assert f"per_fold {every[1].fewest} to {every[1].most} windows, 20 pre-trainings" in listed(every)


def test_a_refusal_of_a_study_lists_the_three_choices_and_offers_those_that_leave_enough(demo, study):
    held = held_out(study, study.pretrain, demo.windows)
    with pytest.raises(DataError) as caught:
        refuse_pretraining(study.pretrain, ["full"], demo.bars, held)
    assert re.search(
        r"leaves: exclude \d+ windows, 3 pre-tr.*; per_fold .*, 20 pre-tr.*; see \d+ windows, 3", str(caught.value)
    )
    offer = re.search(r"pretrain\.sampling\.labelled=per_fold \((\d+) to", caught.value.hint)
    assert offer and int(offer[1]) >= 100 and "pretrain.sampling.labelled=see (" in caught.value.hint
    refuse_pretraining(change(study.pretrain, {"labelled": "per_fold"}), ["full"], demo.bars, held)


def test_a_pretraining_for_a_fold_that_nobody_names_is_refused(demo):
    spec = change(Pretrain(), {"labelled": "per_fold"})
    with pytest.raises(SpecError, match="belongs to no fold"):
        refuse_too_few(demo.bars, spec, HeldOut(np.arange(3)))
    with pytest.raises(SpecError, match=r"left_out needs sampling\.labelled=per_fold"):
        change(Pretrain(), {"left_out": ("a",)})
    with pytest.raises(SpecError, match=r"per_fold needs data\.windows"):
        change(spec, {"data.bars": "bars.parquet"})
