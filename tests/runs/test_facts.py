"""Facts of a run: read from records of any version, written under the names that stores and packs have, never lost."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moola_core.errors import RunError
from moola_core.presets import preset
from moola_core.runs import Store, codec, facts
from moola_core.runs.facts import FIELDS, NAMES, Doing, Facts, KeptEngine, Prepared, ReadLabels, TakenOver, needed
from moola_core.runs.record import from_dict, stored
from moola_core.specs.pretrain import Sampling
from tests import test_architecture

# A record of before the facts had types: every name, as stores and packs hold it.
OLD = {
    "windows": 60,
    "left_out": 2,
    "not_predicted": 1,
    "window_bars": 105,
    "features": ["price_path", "body_frac"],
    "labels": {"consolidation": 30, "retracement": 30},
    "trainable_parameters": 9000,
    "shared_parameters": 8000,
    "best_epochs": [3, 4],
    "epochs_run": [5, 6],
    "fits_at_limit": 0,
    "sigma_ratios": {"0": 1.5, "1": 0.5},
    "label_noise": {"scatter_bars": [0.5, 1.0], "misplaced_frac": [0.02, 0.05]},
    "f1_macro": 0.75,
    "engine": "replicas",
    "engine_why": "50 small fits at once use the card.",
    "engine_settings": {"device": "cpu", "settings": {"name": "replicas", "at_once": 3, "precision": None}},
    "saw": "per_fold",
    "pretraining_seeds": [17, 18],
    "taken_over": {"from": "20260101-000000-000-aaaa", "fits": 2},
    "fitting": {"seconds": 41.5, "fits": 10, "stretch": 1.25},
    "peak_memory": {"low_mb": 800.5, "high_mb": 1200.0},
    "pruned": "It was behind.",
    "pruned_after": 2,
    "in_bars": 900,
    "over_gaps": 1,
    "filler": 2,
    "labelled": 3,
    "between": 4,
    "not_active": 5,
    "not_similar": 6,
    "train": 700,
    "valid": 100,
    "parameters": 12000,
    "best_epoch": 7,
    "children": {"arm scratch": "20260101-000000-000-bbbb"},
    "untrained": {"full": "It failed."},
    "sizes": {"windows": 60, "bars": 9000},
    "spent_s": 31.5,
    "prepared": {"network": "small", "labelled": "see"},
    "now": {"question": "Is a network needed?", "why": "Expected: no.", "since": "2026-01-01T00:00:00+00:00"},
    "doctor": {"error": 1, "info": 2},
}


def test_every_fact_of_an_old_record_is_read_and_written_again_as_it_was():
    assert OLD.keys() == NAMES
    own = Facts.of(OLD)
    assert codec.plain(own.stored()) == OLD and own.others == {}
    empty = dataclasses.asdict(Facts())
    assert all(value != empty[name] for name, value in dataclasses.asdict(own).items() if name != "others")
    assert own.label_noise == ReadLabels((0.5, 1.0), (0.02, 0.05)) and own.sigma_ratios == {0: 1.5, 1: 0.5}
    assert own.taken_over == TakenOver("20260101-000000-000-aaaa", 2) and own.prepared == Prepared("small", "see")
    assert isinstance(own.doing, Doing) and isinstance(own.engine_settings, KeptEngine)


def test_a_fact_that_a_run_does_not_have_is_empty_and_not_written():
    assert Facts().stored() == {} and Facts.of({}) == Facts()
    assert Facts.of({"trainable_parameters": None, "f1_macro": None}).stored() == {}
    assert Facts(doctor={}).stored() == {"doctor": {}}, "a doctor that has no finding was asked"
    assert Facts(labelled=0).stored() == {"labelled": 0}


@given(
    st.dictionaries(
        st.sampled_from(sorted(NAMES)) | st.text(max_size=5),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-5, 5)
            | st.text(max_size=3)
            | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
            max_leaves=4,
        ),
        max_size=6,
    )
)
def test_whatever_a_file_holds_opens_and_is_kept(counts):
    own = Facts.of(counts)
    again = Facts.of(json.loads(codec.dumps(own.stored())))
    assert again == own
    unknown = {name: value for name, value in counts.items() if name not in NAMES}
    assert {name: own.stored()[name] for name in unknown} == unknown
    assert all(isinstance(value, int | float) for value in own.numbers().values())


def test_a_fact_of_the_wrong_type_is_passed_over_and_kept():
    own = Facts.of({"windows": "sixty", "labels": {"a": None}, "train": 4, "of the future": [1]})
    assert own.windows is None and own.labels == {} and own.train == 4
    assert own.stored() == {"windows": "sixty", "labels": {"a": None}, "train": 4, "of the future": [1]}


def test_a_record_keeps_its_facts_under_counts(tmp_path):
    run = Store(tmp_path).create(preset("quick").finetune())
    run.update(facts=Facts(windows=60, others={"older": 1}))
    kept = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert kept["counts"] == {"windows": 60, "older": 1} and "facts" not in kept
    assert run.record.facts == Facts(windows=60, others={"older": 1})
    assert from_dict(stored(run.record)) == run.record
    assert from_dict(kept | {"counts": [1, 2]}).facts == Facts()


def test_a_fact_that_is_not_declared_cannot_be_written(tmp_path):
    run = Store(tmp_path).create(preset("quick").finetune())
    with pytest.raises(TypeError):
        run.update(facts=dataclasses.replace(run.record.facts, windwos=60))
    with pytest.raises((TypeError, AttributeError)):
        run.update(facts={"windwos": 60})
    with pytest.raises(TypeError):
        run.update(counts={"windwos": 60})
    assert run.record.facts == Facts()


def test_what_a_selection_of_bars_leaves_out_is_a_fact():
    kept = {f"not_{name}" for name in get_args(Sampling.model_fields["keep"].annotation) if name != "all"}
    assert kept <= NAMES


def test_a_run_that_has_lost_a_fact_says_which():
    assert needed(3, "windows") == 3 and needed(0, "windows") == 0
    with pytest.raises(RunError, match="does not say `windows`"):
        needed(None, "windows")


def test_every_fact_is_documented():
    topics = [
        kind for kind in vars(facts).values() if dataclasses.is_dataclass(kind) and kind.__module__ == facts.__name__
    ]
    for topic in topics:
        own = set(vars(topic).get("__annotations__", {}))
        described = re.findall(r"^    ([a-z][\w, ]*) : ", topic.__doc__ or "", re.M)
        assert own == {name.strip() for names in described for name in names.split(",")}, topic.__name__


def _is_facts(node: ast.expr) -> bool:
    """Asked first: to write every expression of the project as text takes seconds."""
    return isinstance(node, ast.Attribute) and node.attr == "facts"


def undeclared(path):
    """Every attribute that is read of the facts of a record, and every fact that is given by name, which `runs/facts.py` does not declare."""
    for node in test_architecture.nodes_of(path):
        if (
            isinstance(node, ast.Attribute)
            and _is_facts(node.value)
            and ast.unparse(node.value).endswith("record.facts")
        ):
            names = {node.attr} - {"others", "stored", "numbers"}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("replace", "Facts") and node.keywords:
            of_facts = ast.unparse(node.func) == "Facts" or ast.unparse(node.args[0]).endswith("facts")
            names = {keyword.arg for keyword in node.keywords if keyword.arg} if of_facts else set()
        else:
            continue
        yield from (f"line {node.lineno}: {name} is not declared in runs/facts.py" for name in sorted(names - FIELDS))


def test_only_declared_facts_are_read_and_written(tmp_path):
    test_architecture.hold(undeclared, test_architecture.with_benchmarks())
    for line in ("run.record.facts.windwos", "replace(record.facts, windwos=1)", "Facts(others={'windwos': 1})"):
        path = tmp_path / f"{len(line)}.py"
        path.write_text(line, encoding="utf-8")
        assert len([*undeclared(path)]) == 1, line
