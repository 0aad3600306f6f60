from __future__ import annotations

import dataclasses

from moola_core.diagnostics.plan import PHASES, adopt, pretraining_verdict, single_task, skip
from moola_core.diagnostics.results import Interval, Sampled
from moola_core.studies import NAMED
from tests.app_samples import make_comparison


def judged(**words):
    """A comparison in which the named networks have these verdicts."""
    found = make_comparison()
    rows = tuple(
        dataclasses.replace(row, verdict=words.get(row.arm.replace(" ", "_"), "undecided")) for row in found.verdicts
    )
    return dataclasses.replace(found, verdicts=rows)


def test_the_phases_are_the_named_studies():
    assert sorted(PHASES) == sorted(NAMED)


def test_the_rules_are_read_from_the_class_alone_and_the_evidence_from_the_best_way_of_transfer():
    sampled = Sampled(Interval(0.52, 0.47, 0.57), ())
    tasks = make_comparison()
    arms = (*tasks.arms, dataclasses.replace(tasks.arms[0], name="class only", f1=sampled))
    assert single_task({"tasks": dataclasses.replace(tasks, arms=arms)}) == sampled
    assert single_task({"tasks": tasks}) is None and single_task({}) is None, "no score of both tasks stands in for it"
    every = {"frozen": "hurts", "gradual": "hurts", "full": "hurts"}
    assert pretraining_verdict({}) == "none yet" and pretraining_verdict({"transfer": judged(**every)}) == "hurts"
    assert pretraining_verdict({"transfer": judged(**every | {"full": "equivalent"})}) == "equivalent"
    assert pretraining_verdict({"transfer": judged(**every | {"full": "helps"})}) == "helps"
    assert pretraining_verdict({"transfer": judged(frozen="hurts", full="equivalent")}) == "undecided"


def test_what_a_verdict_makes_pointless_is_skipped_with_its_reason():
    assert skip("transfer", {}, bars=False) == "there are no bars to pre-train on" and not skip(
        "transfer", {}, bars=True
    )
    assert not skip("pretraining-data", {"objectives": judged(full="helps")}, True)
    assert "no pre-training task was shown to help" in skip("pretraining-data", {"objectives": judged()}, True)
    tasks = make_comparison()
    only = dataclasses.replace(tasks.verdicts[0], arm="class only", verdict="equivalent", metric="f1_macro")
    arms = (*tasks.arms, dataclasses.replace(tasks.arms[0], name="class only"))
    same = dataclasses.replace(tasks, verdicts=(only,), arms=arms)
    assert "the tasks do not interfere" in skip("gradients", {"tasks": same}, True)
    assert not skip(
        "gradients", {"tasks": dataclasses.replace(same, verdicts=(dataclasses.replace(only, verdict="helps"),))}, True
    )
    late = tuple(dataclasses.replace(arm, best_epoch=18.0, epochs=20.0, patience=10) for arm in tasks.arms)
    assert "did the median fit stop early" in skip(
        "patience", {"transfer": dataclasses.replace(tasks, arms=late)}, True
    )


def test_only_a_network_that_helps_is_taken_over():
    assert adopt("transfer", judged(full="helps", logistic_on_aggregates="helps")) == "full"
    assert adopt("transfer", judged(frozen="hurts")) == "" and adopt("labels", judged(full="helps")) == ""
