"""The kinds of faults of benchmarks/fault_kinds.py: each can be planted, and is gone where it is not."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from moola_core.diagnostics.doctor import CHECKS
from moola_core.diagnostics.doctor.training_code import PARTS
from moola_core.diagnostics.vitals import SIGNS
from moola_core.market.frames import bars_frame, windows_frame
from moola_core.market.readers import write_table
from moola_core.market.windows import load_windows
from moola_core.presets import preset
from moola_core.specs import change, settings
from moola_core.training import fit
from moola_core.training.fit import Fit
from moola_core.training.group import Group

with pytest.MonkeyPatch.context() as _path:
    _path.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    kinds = importlib.import_module("fault_kinds")
    benchmark = importlib.import_module("kinds")


def test_every_kind_has_the_causes_that_name_it_and_these_exist():
    named = (benchmark.NAMED, benchmark.UNSEEN, benchmark.NEW, benchmark.THIRD, benchmark.FOURTH, benchmark.FIFTH)
    planted = (
        kinds.KINDS,
        benchmark.UNSEEN_KINDS,
        benchmark.NEW_KINDS,
        benchmark.THIRD_KINDS,
        benchmark.FOURTH_KINDS,
        benchmark.FIFTH_KINDS,
    )
    for own, every in zip(named, planted, strict=True):
        assert set(own) == {kind.name for kind in every}
    known = {*CHECKS, *SIGNS, *benchmark.BY_TITLE.values(), *(f"code {part}" for part in PARTS)}
    used = {cause for own in named for causes in own.values() for cause in causes}
    assert not {cause for cause in used - known if not cause.startswith("setting ")}


def test_there_are_enough_kinds_in_two_halves_of_every_stage():
    names = [kind.name for kind in kinds.KINDS]
    assert len(names) == len(set(names)) >= 60 and sum(bool(kind.source) for kind in kinds.KINDS) >= 30
    half = kinds.halves()
    assert set(half["choosing"]) | set(half["counted"]) == set(names) and not set(half["choosing"]) & set(
        half["counted"]
    )
    for stage in kinds.STAGES:
        own = {kind.name for kind in kinds.KINDS if kind.stage == stage}
        assert abs(len(own & set(half["choosing"])) - len(own & set(half["counted"]))) <= 1 and len(own) >= 6


@pytest.mark.parametrize("kind", [kind for kind in kinds.KINDS if kind.files], ids=lambda kind: kind.name)
def test_a_fault_of_files_changes_them_and_they_are_still_read(kind, demo, tmp_path):
    before = bars_frame(demo.bars), windows_frame(demo.windows)
    after = kind.files(before[0].copy(), before[1].copy(), np.random.default_rng(0))
    assert any(not old.equals(new) for old, new in zip(before, after, strict=True))
    write_table(after[1], tmp_path / "windows.parquet")
    reading = change(preset("quick").finetune(), kind.settings).data.windows_reading
    assert len(load_windows(tmp_path / "windows.parquet", reading)) > 20


def test_faults_of_settings_and_of_training_are_planted_and_leave_nothing_behind():
    untouched = vars(Group)["_gradients"], vars(Group)["losses"], vars(Fit)["batches"], vars(fit)["scale_of"]
    base = preset("quick").finetune()
    for kind in kinds.KINDS:
        start = {} if kind.pretrain is None else {"transfer.checkpoint": "start.safetensors"}
        planted = settings(change(base, kind.settings | start))
        assert all(planted[name] == value for name, value in kind.settings.items()), kind.name
        if kind.pretrain is not None:
            change(preset("quick").pretrain(), {"data.bars": "bars.parquet"} | kind.pretrain)
        with kind.patched():
            pass
        assert kind.files or kind.settings or kind.pretrain or kind.patched is not kinds.nullcontext, kind.name
    assert untouched == (vars(Group)["_gradients"], vars(Group)["losses"], vars(Fit)["batches"], vars(fit)["scale_of"])
