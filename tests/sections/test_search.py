"""What is said of a search."""

from __future__ import annotations

import dataclasses

from moola_core.runs.store import Store
from moola_core.sections import search
from moola_core.sections.blocks import Command, Figures, Table, Text
from moola_core.sections.registry import build, names
from tests.app_samples import make_search


def section(report, name):
    return next(one for one in report.sections if one.name == name)


def test_what_to_expect_comes_first_the_raw_score_is_called_too_good_and_the_pick_is_allowed_for(search_run):
    report = build(search_run)
    assert [one.name for one in report.sections] == list(names("search"))
    first, *rest = section(report, "searched").blocks
    assert isinstance(first, Figures)
    expected, raw = first.items
    assert (expected.number.shown, expected.note) == ("0.600", "95% interval 0.500 to 0.700")
    assert (raw.number.shown, raw.note) == ("0.650", "too good: picked among 3 trials")
    shown = {block.strong: block.text for block in rest if isinstance(block, Text)}
    verdict = shown["The picked settings are better than the settings as they are."]
    assert "A choice among 3 trials was made" in verdict and "2 comparisons" in verdict and "(Holm)" in verdict
    assert "owes part of that to luck" in shown["The pick."] and "dropout=0.123" in shown["The pick."]
    assert shown["The trials."].startswith("3 complete, 1 pruned, which count in no score, 1 failed, in 31 s.")
    assert "trial 1" in shown["Next."]


def test_trials_stand_with_the_highest_score_first_and_those_without_one_last_with_the_reason(search_run):
    (table,) = [one for one in section(build(search_run), "trials").blocks if isinstance(one, Table)]
    assert [row[0] for row in table.rows] == ["1", "4", "0", "2", "3"]
    assert [row[1] for row in table.rows[3:]] == ["pruned", "failed"] and "not a number" in table.rows[4][-1]
    (space,) = [one for one in section(build(search_run), "space").blocks if isinstance(one, Table)]
    assert space.rows == (("model.dropout", "0.1 to 0.9", "0.3"),) and "TPE" in space.note


def test_of_a_metric_where_lower_is_better_the_lowest_comes_first(search_run):
    made = make_search()
    lower = dataclasses.replace(made, metric="log_loss", best=dataclasses.replace(made.best, metric="log_loss"))
    run = Store(search_run.store_root).create(search_run.spec)
    run.write_result("search", lower)
    run.update(state="done")
    (table,) = [one for one in section(build(run), "trials").blocks if isinstance(one, Table)]
    assert [row[0] for row in table.rows][:3] == ["0", "4", "1"]


def test_one_that_came_out_as_it_was_one_without_a_default_and_one_that_was_cancelled(search_run):
    made = make_search()
    same = dataclasses.replace(made, best=dataclasses.replace(made.best, number=0), default=None)
    assert "No other settings came out above" in search.of_search(same).headline
    assert "have no score" in search.of_search(dataclasses.replace(made, default=None)).rest
    alone = dataclasses.replace(made.best, number=0, of=1)
    assert "the one trial with a score" in search.pick(alone)
    one = Store(search_run.store_root).create(search_run.spec)
    one.write_result(
        "search", dataclasses.replace(made, best=alone, default=None, ended="The budget of 9 s was used up.")
    )
    one.update(state="done")
    shown = {block.strong: block.text for block in section(build(one), "searched").blocks if isinstance(block, Text)}
    assert "nothing is compared" in shown["No comparison."] and "larger budget" in shown["Next."]
    assert shown["The trials."].endswith("The budget of 9 s was used up.")
    run = Store(search_run.store_root).create(search_run.spec)
    run.write_result("search", dataclasses.replace(made, ended="It was interrupted."))
    run.update(state="cancelled", error="Cancelled.")
    blocks = section(build(run), "searched").blocks
    assert f"moola search --resume {run.id}" in [block.line for block in blocks if isinstance(block, Command)]
    failed = Store(search_run.store_root).create(search_run.spec)
    failed.update(state="failed", error="none of the 3 trials has a score.")
    report = build(failed)
    assert dict(report.absent)["Trials"] == search.NO_RESULT
    assert any("none of the 3" in block.text for block in section(report, "searched").blocks)
