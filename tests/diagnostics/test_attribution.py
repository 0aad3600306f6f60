from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations, product

import numpy as np
import pytest
import shap
import torch
from scipy.stats import spearmanr

from moola_core.diagnostics.attribution import (
    Explained,
    Job,
    agreement,
    attribute,
    explain,
    explain_together,
    grouped,
    output_names,
    stratified,
)
from moola_core.diagnostics.fitted import load_estimator
from moola_core.diagnostics.network_outputs import (
    Answer,
    StackedCoalitions,
    answers,
    expected_gradients,
    logit_differences,
    network_outputs,
)
from moola_core.diagnostics.results import Rank
from moola_core.diagnostics.shapley import Explanation
from moola_core.errors import CheckpointError
from moola_core.features.matrix import window_matrix
from moola_core.launch import worker
from moola_core.market.demo import make_demo, write_demo
from moola_core.market.windows import load_windows
from moola_core.models.multitask import MultiTask
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.specs import Finetune, Model, change
from moola_core.training import processes


@pytest.fixture(scope="module")
def few_files(tmp_path_factory):
    """A market of few windows: each is explained by many calls of a model."""
    return write_demo(tmp_path_factory.mktemp("few"), make_demo("helpful", bars=8_000, windows=20, seed=3))


@pytest.fixture(autouse=True)
def quick_doctor(few_trees): ...


@pytest.fixture
def few_draws(monkeypatch):
    """Expected gradients of few draws, where they are compared with others of the same draws or not looked at."""
    monkeypatch.setattr("moola_core.diagnostics.network_outputs.SAMPLES", 5)


@pytest.fixture(scope="module")
def few_run(few_files, tmp_path_factory):
    """A run of two repeats on the few windows."""
    small = {"epochs": 1, "repeats": 2, "folds": 2, "hidden": 4, "processes": 1, "columns": ("range_z", "body_pct")}
    spec = change(preset("quick").finetune(), {"data.windows": str(few_files["windows"])} | small)
    run = Store(tmp_path_factory.mktemp("few_run")).create(spec)
    worker.run(run)
    return run


def network(features: int = 5, classes: int = 2, **changes) -> MultiTask:
    torch.manual_seed(3)
    return MultiTask(features, classes, Model(hidden=4, **changes)).eval()


def explained(
    answer: Answer, x: np.ndarray, background: np.ndarray, groups: list[list[int]], exact: bool
) -> Explanation:
    """Shapley values of windows x [W, K, F] by a network's answer, with windows [B, K, F] as background."""
    one = Explanation(len(x), len(groups), len(background), (0,), exact)
    windows = tuple(torch.from_numpy(part)[None] for part in (x, background))
    while not one.done:
        kept, place = one.ask()
        asked = StackedCoalitions(*windows, groups, kept[None], place[None])
        one.tell(network_outputs(lambda mixed: answer(mixed[0])[None], asked, 64)[0])
    return one


def in_order_of_arrival(masked: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Shapley values by their definition: what each of five features adds when it comes, over all orders of coming."""
    values = {row: masked(np.array([row]))[0] for row in product((0, 1), repeat=5)}
    added = []
    for order in permutations(range(5)):
        there, gains = np.zeros(5, int), {}
        for feature in order:
            before = values[tuple(there.tolist())]
            there[feature] = 1
            gains[feature] = values[tuple(there.tolist())] - before
        added.append([gains[feature] for feature in range(5)])
    return np.mean(added, axis=0)


def by_shap(masked: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    explainer = shap.ExactExplainer(masked, shap.maskers.Independent(np.zeros((1, 5))))
    return explainer(np.ones((1, 5))).values[0]


@pytest.mark.parametrize("reference", [in_order_of_arrival, pytest.param(by_shap, marks=pytest.mark.soak)])
@pytest.mark.parametrize("classes", [2, 3])
def test_values_are_those_of_the_definition_and_of_shap_s_exact_explainer(classes, reference):
    model = network(5, classes)
    answer = answers(model, classes, 12)
    rng = np.random.default_rng(0)
    x, *background = rng.normal(size=(4, 12, 5)).astype(np.float32)
    shares = explained(answer, x[None], np.stack(background), [[i] for i in range(5)], exact=True).shares
    found, empty, full = (part[0] for part in (shares.values, shares.empty, shares.full))

    def masked(rows: np.ndarray) -> np.ndarray:
        made = [np.where(rows[:, None, :].astype(bool), x, base).astype(np.float32) for base in background]
        with torch.no_grad():
            return np.mean([answer(torch.from_numpy(one)).double().numpy() for one in made], axis=0)

    assert found == pytest.approx(reference(masked).reshape(found.shape), abs=1e-6)
    assert empty + found.sum(0) == pytest.approx(full, abs=1e-6)


def test_grouped_columns_share_one_value_and_unused_ones_have_none():
    def answer(x: torch.Tensor) -> torch.Tensor:
        return (x[:, :, 0] * x[:, :, 1] + x[:, :, 2]).mean(1, keepdim=True)

    x, base = np.random.default_rng(1).normal(size=(2, 7, 4)).astype(np.float32)
    found = explained(answer, x[None], base[None], [[0, 1], [2], [3]], exact=False).shares.values[0]
    assert found[0, 0] == pytest.approx((x[:, 0] * x[:, 1] - base[:, 0] * base[:, 1]).mean(), abs=1e-6)
    assert found[1, 0] == pytest.approx((x[:, 2] - base[:, 2]).mean(), abs=1e-6) and found[2, 0] == 0


def test_the_price_path_is_one_group_and_outputs_are_named():
    assert grouped(("range_z", "path_open", "path_close")) == {"range_z": [0], "price_path": [1, 2]}
    assert output_names(("a", "b"), True, True) == ("logit of b over a", "center, bars", "length, bars")
    three = tuple(f"logit of {name} over the others" for name in "abc")
    assert output_names(("a", "b", "c"), True, False) == three
    assert output_names(("a", "b"), False, True) == ("center, bars", "length, bars")


def test_a_run_is_explained_by_the_models_that_did_not_see_the_window(few_files, few_draws, tmp_path):
    small = {
        "epochs": 3,
        "repeats": 1,
        "folds": 3,
        "hidden": 4,
        "processes": 1,
        "columns": ("range_z", "body_pct", "price_path"),
    }
    spec = change(preset("quick").finetune(), {"data.windows": str(few_files["windows"])} | small)
    run = Store(tmp_path).create(spec)
    worker.run(run)
    windows, _ = load_windows(few_files["windows"]).trainable(("D",))
    told: list = []
    found = attribute(
        run, windows, window_matrix(windows, spec.features), tell=lambda done, total: told.append((done, total))
    )
    assert found.groups == ("range_z", "body_pct", "price_path") and found.values.shape == (20, 3, 3)
    assert found.additivity_error < 1e-5 and told[-1] == (20, 20)
    rows = run.predictions.set_index("window_id").loc[list(found.window_id)]
    odds = np.log(rows["p_retracement"] / rows["p_consolidation"])
    assert found.full[:, 0] == pytest.approx(odds.to_numpy(), abs=1e-4)
    center = (rows["start_pred"] + rows["end_pred"]) / 2
    inside = (rows["start_pred"] > 0) & (rows["end_pred"] < 104)
    assert found.full[inside.to_numpy(), 1] == pytest.approx(center[inside].to_numpy(), abs=1e-3)
    first = [row for row in found.ranking if row.output == found.outputs[0]]
    assert sorted(row.rank for row in first) == [1, 2, 3] and len(first[0].by_fit) == 3
    assert found.course.shape == (3, 105, 6) and found.features == run.record.facts.features


def test_expected_gradients_add_up_and_lie_where_the_answer_looks():
    def answer(x: torch.Tensor) -> torch.Tensor:
        return (3 * x[:, 4, 1] + x[:, 5, 0] ** 2)[:, None]

    rng = torch.Generator().manual_seed(0)
    x, references = torch.randn(6, 9, 2, generator=rng), torch.randn(40, 9, 2, generator=rng)
    found = expected_gradients(answer, x, references, 0)
    elsewhere = np.ones((9, 2), bool)
    elsewhere[4, 1] = elsewhere[5, 0] = False
    assert found.shape == (6, 9, 2, 1) and np.allclose(found[:, elsewhere], 0)
    exact = 3 * (x[:, 4, 1] - references[:, 4, 1].mean())
    assert found[:, 4, 1, 0] == pytest.approx(exact.numpy(), abs=2.0)
    assert np.corrcoef(found[:, 4, 1, 0], exact.numpy())[0, 1] > 0.95


def as_if_elsewhere(jobs: Sequence[Job]) -> Iterator[Explained]:
    """Each job and what was found carried as between processes, the last job first."""
    for job in reversed(jobs):
        yield pickle.loads(pickle.dumps(explain(pickle.loads(pickle.dumps(job)))))


@pytest.mark.parametrize(
    "elsewhere", [as_if_elsewhere, pytest.param(partial(processes.process_map, explain), marks=pytest.mark.soak)]
)
def test_several_repeats_are_explained_in_other_processes_and_all_at_once_with_the_same_values(
    request, few_files, few_run, device, elsewhere
):
    if elsewhere is as_if_elsewhere:  # another process would not know of it
        request.getfixturevalue("few_draws")
    run = few_run
    windows, _ = load_windows(few_files["windows"]).trainable(("D",))
    x = window_matrix(windows, run.spec.features)
    here, there = (attribute(run, windows, x, 2, work=work) for work in (None, elsewhere))
    assert here.repeats == 2 and len(here.window_id) == 40 and here.window_id == there.window_id
    assert np.allclose(here.values, there.values, atol=1e-7) and np.allclose(here.course, there.course, atol=1e-7)
    assert len(here.ranking[0].by_fit) == 4
    told: list = []
    stacked = attribute(run, windows, x, 2, lambda *done: told.append(done), partial(explain_together, device=device))
    assert stacked.window_id == here.window_id and told[-1] == (40, 40)
    for name in ("values", "empty", "full", "course"):
        np.testing.assert_allclose(getattr(stacked, name), getattr(here, name), atol=1e-5, err_msg=name)


def test_fits_with_different_numbers_of_windows_are_asked_together(few_files, few_run, few_draws, device):
    windows, _ = load_windows(few_files["windows"]).trainable(("D",))
    jobs: list = []
    attribute(
        few_run,
        windows,
        window_matrix(windows, few_run.spec.features),
        work=lambda given: map(explain, jobs.extend(given) or given),
    )
    some = [replace(jobs[0], rows=jobs[0].rows[:2], x=jobs[0].x[:2]), *jobs[1:-2]]
    found = {(one.fold, int(one.rows[0])): one for one in explain_together(some, device)}
    assert len(found) == len(some) == len(jobs) - 2
    for job in some:
        one, alone = found[job.fold, int(job.rows[0])], explain(job)
        for name in ("rows", "gradients"):
            np.testing.assert_allclose(getattr(one, name), getattr(alone, name), atol=1e-5, err_msg=name)
        for name in ("values", "errors", "empty", "full"):
            pair = (getattr(found.shares, name) for found in (one, alone))
            np.testing.assert_allclose(*pair, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", ["logistic", "majority", "locate_then_classify"])
def test_a_run_of_an_estimator_is_explained_by_what_that_reads(name, few_files, tmp_path):
    small = {"repeats": 1, "folds": 2, "columns": ("range_z", "body_pct", "price_path"), "estimator": name}
    spans = {"spans.general": False, "spans.penalty": 4.0, "spans.scatter_bars": 1.0, "spans.misplaced_frac": 0.05}
    spec = change(preset("quick").finetune(), {"data.windows": str(few_files["windows"])} | small | spans)
    run = Store(tmp_path).create(spec)
    worker.run(run)
    windows, _ = load_windows(few_files["windows"]).trainable(("D",))
    result = attribute(run, windows, window_matrix(windows, spec.features))
    if name == "locate_then_classify":
        assert [group.split(":")[0] for group in result.groups] == ["span"] * 8 + ["class"] * 4
        assert not result.level.any()
    else:
        assert result.groups == ("range_z", "body_pct", "price_path") and result.level[:, :2].std() > 0
    assert result.outputs == ("logit of retracement over consolidation", "center, bars", "length, bars")
    assert result.additivity_error < 1e-8 and result.course.size == 0 and result.features == ()
    rows = run.predictions.set_index("window_id").loc[list(result.window_id)]
    p = np.clip(rows[["p_consolidation", "p_retracement"]].to_numpy(), 1e-3, 1)
    expected = [np.log(p[:, 1] / p[:, 0]), rows[["start_pred", "end_pred"]].mean(axis=1)]
    expected.append(rows["end_pred"] - rows["start_pred"])
    np.testing.assert_allclose(result.full, np.stack(expected, axis=1), atol=1e-4)  # float32 sums in another order
    assert (name == "majority") == (not result.values.any())


def test_differences_of_logits_do_not_depend_on_what_all_of_them_share():
    logits = np.random.default_rng(0).normal(size=(4, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    others = [logits[:, k] - np.delete(logits, k, axis=1).mean(1) for k in range(3)]
    np.testing.assert_allclose(logit_differences(np.log(p)), np.stack(others, axis=1), atol=1e-12)
    np.testing.assert_allclose(logit_differences(logits[:, :2])[:, 0], logits[:, 1] - logits[:, 0])


def test_imported_predictions_have_no_model_to_explain(tmp_path):
    run = Store(tmp_path).create(Finetune(estimator="imported"))
    with pytest.raises(CheckpointError, match="imported, without the models"):
        load_estimator(run, 0, 0)


def test_the_background_is_of_training_windows_of_every_class_by_its_share(few_files, few_run):
    label = np.repeat(["a", "b", "c"], [60, 38, 2])
    rows = np.arange(1000, 1100)
    drawn = stratified(rows, label, 20, (0, 1))
    assert np.bincount(np.searchsorted(["a", "b", "c"], label[drawn - 1000])).tolist() == [12, 8, 1]
    assert (drawn == stratified(rows, label, 20, (0, 1))).all() and (drawn != stratified(rows, label, 20, (0, 2))).any()
    windows, _ = load_windows(few_files["windows"]).trainable(("D",))
    x, jobs = window_matrix(windows, few_run.spec.features), []
    result = attribute(few_run, windows, x, work=lambda given: map(explain, jobs.extend(given) or given))
    folds = few_run.folds
    ids = windows.window_id.astype(str)
    for job in jobs:
        own = folds[(folds["repeat"] == job.repeat) & (folds["fold"] == job.fold)]
        fitting = set(own.loc[own["role"].isin(["train", "inner"]), "window_id"])
        taken = {ids[i] for i in range(len(x)) for one in job.background if np.array_equal(x[i], one)}
        assert len(taken) == len(job.background) and taken <= fitting
    assert result.background == len(jobs[0].background) and len(result.agreement) == len(result.outputs)
    # The base is the mean prediction for background windows, and so lies among the predictions.
    assert result.full[:, 0].min() < result.empty[:, 0].mean() < result.full[:, 0].max()


def test_fits_agree_on_a_ranking_as_spearman_has_it():
    sizes = np.random.default_rng(0).normal(size=(6, 4)) ** 2
    rows = [Rank(f"g{i}", "o", 0.0, tuple(row), 0) for i, row in enumerate(sizes.tolist())]
    pairs = [spearmanr(sizes[:, a], sizes[:, b]).statistic for a in range(4) for b in range(a)]
    assert agreement(rows) == pytest.approx(np.mean(pairs))
    assert agreement([replace(row, by_fit=row.by_fit[:1]) for row in rows]) is None
    assert agreement([replace(row, by_fit=(0.0, 0.0)) for row in rows]) is None
