from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from moola_core.errors import RunError, SpecError
from moola_core.runs.store import Store
from moola_core.sections.blocks import Figures, Number, Report, Table, charts
from moola_core.sections.registry import SECTIONS, build, names
from moola_core.specs import Diagnose
from tests.app_samples import make_run


def numbers(report: Report) -> Iterator[Number]:
    cells = [value for _, value in report.facts]
    for section in report.sections:
        for block in section.blocks:
            cells += [one.number for one in block.items] if isinstance(block, Figures) else []
            cells += [cell for row in block.rows for cell in row] if isinstance(block, Table) else []
    yield from (cell for cell in cells if isinstance(cell, Number))


def stored(store: Store, source: str):
    """What lies at the source, read from the file without the project's own reading."""
    file, _, pointer = source.partition("#/")
    found = json.loads((store.runs_folder / file).read_text())
    for step in pointer.split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


@pytest.mark.parametrize("name", ["full_run", "pretrained", "hostile_run"])
def test_every_number_is_the_stored_one(request, name):
    run = request.getfixturevalue(name)
    found = [number for number in numbers(build(run)) if number.source]
    assert len(found) > (40 if name == "pretrained" else 250)
    for number in found:
        assert number.value == stored(Store(run.store_root), number.source), number


@pytest.mark.parametrize("name", ["full_run", "pretrained"])
def test_a_number_is_read_as_it_is_stored(request, name):
    for number in numbers(build(request.getfixturevalue(name))):
        match = re.fullmatch(r"(?:± )?(-?[\d,]*\.?(\d*)(?:e-?\d+)?)(%?)", number.shown)
        if number.value is None:
            assert number.shown == "–"
        elif match is None:
            assert "#/seconds" in number.source or (number.shown == "< 0.001" and number.value < 0.001)
        else:
            scale = 100 if match[3] and number.source else 1  # a gap is reckoned in percent
            assert float(match[1].replace(",", "")) == pytest.approx(
                number.value * scale, abs=0.51 * 10 ** -len(match[2]), rel=1e-5
            )


def test_targets_have_target_actual_and_gap_absolute_and_in_percent(full_run):
    (section,) = build(full_run, ["targets"]).sections
    table = section.blocks[0]
    assert table.columns == ("Target", "Wanted", "Actual", "from", "to", "Gap", "Gap, %", "Met")
    actual = full_run.result("evaluation")["metrics"]["center_mae_frac"]["mean"]
    row = next(row for row in table.rows if row[0] == "Center error")
    assert row[1] == "< 0.02 of the window" and row[2].value == actual
    sampled = full_run.result("evaluation")["sampled"]["center_mae_frac"]["interval"]
    assert (row[3].value, row[4].value) == (sampled["low"], sampled["high"]) and sampled["low"] > 0.02
    assert row[5].value == pytest.approx(actual - 0.02) and row[6].value == pytest.approx(100 * (actual - 0.02) / 0.02)
    assert row[7] == "no" and table.met[table.rows.index(row)] is False


def test_a_full_run_has_every_section_and_its_charts_draw(full_run):
    report = build(full_run)
    assert tuple(section.name for section in report.sections) == names("finetune") and report.absent == ()
    drawn = [chart.draw(look) for section in report.sections for chart in charts(section) for look in ("light", "dark")]
    assert len(drawn) > 50 and all(chart.data and chart.layout.height for chart in drawn)
    for section in report.sections:
        assert section.blocks
        assert len({chart.name for chart in charts(section)}) == len(charts(section))
        for table in (block for block in section.blocks if isinstance(block, Table)):
            assert len(set(table.columns)) == len(table.columns)
            assert all(len(row) == len(table.columns) for row in table.rows)


def test_a_pretraining_run_has_its_own_sections(pretrained):
    report = build(pretrained)
    assert [section.name for section in report.sections] == [name for name in names("pretrain") if name != "doctor"]
    text = "\n".join(block.strong + block.text for block in report.sections[0].blocks)
    assert "It learned to rebuild hidden bars" in text and "Fine-tune from this run" in text


def test_decisions_say_what_was_judged_and_what_next(full_run):
    said = {block.strong: block.text for block in build(full_run, ["decisions"]).sections[0].blocks}
    result = full_run.result("evaluation")
    gap = result["over_majority"]
    assert gap["low"] < 0 < gap["high"], "60 windows"
    told = said["Whether it is better than the most frequent class cannot be told."]
    assert f"{result['metrics']['accuracy']['mean']:.3f}" in told and f"{gap['low']:+.3f} to {gap['high']:+.3f}" in told
    assert {"The model tells the classes better than chance.", "The pointers beat a constant pointer."} <= set(said)
    assert "The pointer task gets almost no gradient." in said
    assert "Pre-training made the labels easier to read than random weights leave them." in said
    assert "recommended preset" in said["Next."] and said["Note."] == "by hand"


def test_constant_folds_and_lost_diagnostics_are_said(tmp_path, windows):
    report = build(make_run(tmp_path, windows, constant=True))
    warned = [block.strong for block in report.sections[0].blocks if getattr(block, "warning", False)]
    assert warned == ["10 of 10 folds predicted only one class."]
    why = dict(report.absent)
    assert why["Balance of the tasks"] == "only one task was trained."
    assert "moola diagnose attribution --run" in why["Feature attribution (SHAP)"]


def test_a_failed_run_is_reported_with_its_error_and_what_it_left(tmp_path, windows):
    report = build(make_run(tmp_path, windows, "failed"))
    assert [section.name for section in report.sections] == ["decisions", "training", "asked", "data"]
    assert report.sections[0].blocks[0].text == "the card went away: [cuda:0] $lost"


def test_features_of_other_windows_are_not_shown(tmp_path, windows):
    run = make_run(tmp_path, windows)
    run.update(data_hashes={"windows": "11" * 32})
    child = Store(tmp_path).create(Diagnose(name="features", data={"windows": "other.parquet"}))
    child.write_result("features", {"why_not": "should not be read"})
    child.update(state="done", data_hashes={"windows": "22" * 32})
    assert "not computed for these windows" in dict(build(run).absent)["Features and labels"]


def test_sections_keep_their_order_and_unknown_ones_are_named(full_run, pretrained):
    assert [s.name for s in build(full_run, ["metrics", "targets"]).sections] == ["targets", "metrics"]
    with pytest.raises(SpecError, match="Did you mean metrics"):
        build(full_run, ["metrcs"])
    with pytest.raises(SpecError, match="unknown section 'calibration'"):
        build(pretrained, ["calibration"])
    assert all(name == section.name for name, section in SECTIONS.items())


def test_runs_without_a_report_are_refused(tmp_path, windows, full_run):
    with pytest.raises(RunError, match="is queued"):
        build(make_run(tmp_path, windows, "queued"))
    child = next(record for record in Store(full_run.store_root).runs("diagnose"))
    with pytest.raises(SpecError, match="has no report"):
        build(Store(full_run.store_root).open(child.run_id))
