"""Exports of Label Studio: the class and the expansion of one annotation, whatever the order in which it was drawn."""

import itertools
import json

import numpy as np
import pytest

from moola_core.errors import DataError
from moola_core.market.windows import load_windows
from moola_core.specs import ReadOptions

KINDS = ("consolidation", "retracement")


def choice(label, key="c", control="cls"):
    return {"id": key, "type": "choices", "from_name": control, "value": {"choices": [label]}}


def region(label, start, end, key, **more):
    return {
        "id": key,
        "type": "timeserieslabels",
        "value": {"start": start, "end": end, "timeserieslabels": [label]},
        **more,
    }


@pytest.fixture
def load(demo, tmp_path):
    """Windows of an export in which each task gets the annotations that `make(i, when)` gives; when(b) is bar b of its window."""

    def read(make, n=8, **reading):
        tasks = []
        for i in range(n):
            first = demo.windows.position[i]

            def when(bar, first=first):
                return int(demo.bars.time[first + bar].astype("int64")) / 1e6

            data = {"start_time": f"{demo.bars.time[first]}Z"}
            tasks.append({"id": i + 1, "data": data, "annotations": make(i, when)})
        path = tmp_path / "export.json"
        path.write_text(json.dumps(tasks), encoding="utf-8")
        return load_windows(path, ReadOptions(**reading), demo.bars)

    return read


def annotation(*results, **more):
    return {"was_cancelled": False, "result": list(results), **more}


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_class_and_expansion_do_not_depend_on_the_order_of_drawing(load, order):
    def make(i, when):
        drawn = [
            region(KINDS[i % 2], when(0), when(100), "p"),
            region("Expansion", when(40 + i), when(60 + i), "e"),
            choice("B", "g", "grade"),
        ]
        return [annotation(*(drawn[k] for k in order))]

    windows = load(make)
    assert windows.label.tolist() == [KINDS[i % 2] for i in range(8)]
    assert np.array_equal(windows.start, 40.0 + np.arange(8)) and np.array_equal(windows.end, 60.0 + np.arange(8))
    assert set(windows.grade) == {"B"}


@pytest.mark.parametrize("link", ["overlap", "parent", "relation"])
def test_of_two_patterns_the_one_that_belongs_to_the_expansion_gives_the_class(load, link):
    def make(i, when):
        own, other = KINDS[i % 2], KINDS[1 - i % 2]
        at = 10 if link == "overlap" else 60
        results = [
            region(other, when(30), when(50), "x"),
            region(own, when(5), when(25), "p"),
            region("expansion", when(at), when(at + 8), "e", **({"parentID": "p"} if link == "parent" else {})),
        ]
        related = {"type": "relation", "from_id": "e", "to_id": "p", "direction": "right"}
        return [annotation(*results, *([related] if link == "relation" else []))]

    windows = load(make)
    assert windows.label.tolist() == [KINDS[i % 2] for i in range(8)]
    assert set(windows.start) == {10.0 if link == "overlap" else 60.0}


def test_a_choice_made_for_the_pattern_is_not_given_to_an_expansion_elsewhere(load):
    def make(i, when):
        return [
            annotation(
                region("pattern", when(5), when(25), "p"),
                choice(KINDS[i % 2], "p"),
                region("expansion", when(60), when(70), "e"),
            )
        ]

    with pytest.raises(
        DataError, match=r"8 tasks \(id 1, 2, 3, 4, 5, …\).*which give the class and which the expansion"
    ):
        load(make)


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([("up", 5, 25), ("down", 60, 70)], "several regions"),
        ([("expansion", 5, 25), ("expansion", 60, 70)], "several regions"),
        ([("up", 5, 25), ("expansion", 60, 70)], "several regions"),
        ([("up", 5, 25), ("down", 20, 40), ("expansion", 21, 24)], "several classes"),
        ([("expansion", 5, 25)], "no class"),
    ],
)
def test_regions_that_cannot_be_told_apart_are_refused_or_left_out(load, results, words):
    def make(i, when):
        if i >= 2:
            return [annotation(choice(KINDS[i % 2]))]
        return [annotation(*(region(name, when(a), when(b), f"r{a}") for name, a, b in results))]

    with pytest.raises(DataError, match=rf"2 tasks \(id 1, 2\) cannot be used: .*{words}.*--repair drop"):
        load(make)
    windows = load(make, repair="drop")
    assert len(windows) == 6 and any(words in note and "2 tasks" in note for note in windows.report.warnings)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_ground_truth_wins_over_other_annotators_wherever_it_stands(load, place):
    def make(i, when):
        others = [annotation(choice(KINDS[1 - i % 2]), completed_by=k) for k in range(2)]
        truth = annotation(choice(KINDS[i % 2]), region("expansion", when(40), when(50), "e"), ground_truth=True)
        others.insert(place, truth)
        return others

    windows = load(make)
    assert windows.label.tolist() == [KINDS[i % 2] for i in range(8)] and windows.has_pointer.all()


def test_annotators_who_disagree_without_ground_truth_are_counted_and_refused(load):
    def make(i, when):
        first = annotation(choice(KINDS[i % 2]))
        return [first, annotation(choice(KINDS[1 - i % 2]))] if i < 3 else [first]

    with pytest.raises(DataError, match=r"3 tasks \(id 1, 2, 3\).*different classes.*--annotator majority") as caught:
        load(make)
    assert caught.value.exit_status == 2
    assert len(load(make, repair="drop")) == 5


def test_annotators_who_agree_on_the_class_and_not_on_the_expansion_are_counted(load):
    def make(i, when):
        return [
            annotation(choice(KINDS[i % 2]), region("expansion", when(40 + k), when(60), "e"))
            for k in range(2 if i < 3 else 1)
        ]

    windows = load(make)
    assert len(windows) == 8 and windows.start[:4].tolist() == [41, 41, 41, 40]
    assert any("3 tasks (id 1, 2, 3) have several annotations" in note for note in windows.report.warnings)


@pytest.mark.parametrize("mark", ["was_cancelled", "skipped"])
def test_skipped_annotations_are_no_labels(load, mark):
    def make(i, when):
        skipped = annotation(choice("wrong")) | {mark: True}
        return [annotation(choice(KINDS[i % 2])), skipped] if i < 6 else [skipped]

    windows = load(make)
    assert len(windows) == 6 and set(windows.label) == set(KINDS)
    assert any("2 tasks (id 7, 8) were skipped" in note for note in windows.report.warnings)


def test_a_task_with_several_classes_is_refused(load):
    def make(i, when):
        return [annotation(choice(KINDS[0]), choice(KINDS[1], "d"))]

    with pytest.raises(DataError, match="several classes"):
        load(make)
