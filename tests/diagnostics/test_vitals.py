"""Vital signs: what is planted moves the sign that is for it, healthy windows move none, and many signs raise no more alarms than one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from moola_core.diagnostics import vitals
from moola_core.diagnostics.results.vitals import STAGES
from moola_core.diagnostics.vitals import ranges
from moola_core.diagnostics.vitals.sign import SIGNS, Evidence, Measured, NotKnown, Sign
from moola_core.features.catalog import names
from moola_core.features.matrix import window_matrix
from moola_core.presets import preset
from moola_core.specs import change

SPEC = change(preset("quick").finetune(), {"features.columns": ("price_path",)})
ROWS = np.random.default_rng(5)


def evidence_of(windows, bars=None, **more) -> Evidence:
    """What the signs read of windows before any run."""
    x = window_matrix(windows, SPEC.features)
    known = {"windows": windows, "every": windows, "x": x, "features": names(SPEC.features.columns), "spec": SPEC}
    return Evidence(**known | {"bars": bars, "claimed": windows.start_time if bars is not None else None} | more)


@pytest.fixture(scope="module")
def windows(demo):
    return demo.windows


def value(name: str, evidence: Evidence) -> Measured:
    return SIGNS[name].measure(evidence)


def scaled(windows):
    prices = windows.prices.copy()
    prices[::2] /= 100
    return replace(windows, prices=prices)


def still(windows):
    prices = windows.prices.copy()
    prices[:, 40:] = prices[:, 40:41, 3:]
    return replace(windows, prices=prices)


def moved_by(bars):
    return lambda w: replace(w, start=np.clip(w.start + bars, 0, 104), end=np.clip(w.end + bars, 0, 104))


PLANTED = {
    "unlike_bars": still,
    "still_bars": still,
    "largest_bar": lambda w: spiked(w),
    "open_step": lambda w: replace(w, prices=np.concatenate([np.roll(w.prices[..., :1], 3, 1), w.prices[..., 1:]], 2)),
    "body_and_range": lambda w: replace(w, prices=np.concatenate([w.prices[..., 3:], w.prices[..., 1:]], 2)),
    "missing_decimals": lambda w: replace(w, prices=np.round(w.prices // 1 + 0.32 * (w.prices % 1), 2)),
    "one_direction": lambda w: replace(w, prices=rising(w)),
    "level_spread": scaled,
    "twins": lambda w: w.select(np.r_[np.arange(len(w)), np.arange(9)]),
    "smallest_class": lambda w: w.select(np.flatnonzero((w.label == w.classes[0]) | (np.arange(len(w)) % 12 == 0))),
    "class_by_time": lambda w: replace(w, label=w.label[np.argsort(w.label)][np.argsort(np.argsort(w.start_time))]),
    "class_runs": lambda w: replace(w, label=np.sort(w.label)),
    "windows_apart": lambda w: partly(w, lambda prices: prices + 40 * (np.arange(105) % 2)[:, None]),
    "same_pointer": lambda w: replace(w, start=default(w.start, 50.0), end=default(w.end, 60.0)),
    "pointer_steps": lambda w: filled_as_series(w),
    "class_by_group": lambda w: replace(w, source=np.where(w.label == w.classes[0], "first", "second").astype(object)),
    "class_by_pointers": lambda w: replace(w, start=np.where(w.label == w.classes[0], w.start, np.nan)),
    "touching_bars": lambda w: replace(w, prices=w.prices + np.array([0.0, 3.0, -3.0, 0.0])),
    "same_expansion": lambda w: w.select(np.r_[np.arange(len(w)), np.arange(len(w) // 2)]),
    "pointer_at_extremes": lambda w: whole_swing(w),
    "labels_again": lambda w: replace(w, **{name: again(getattr(w, name)) for name in ("label", "start", "end")}),
    "pointer_grid": lambda w: replace(w, start=w.start // 15 * 15, end=w.end // 15 * 15 + 14),
    "pointer_by_group": lambda w: replace(w, start=np.where(np.arange(len(w)) > len(w) / 2, 0, w.start)),
    "pointer_lag": moved_by(12),
    "pointer_spread": lambda w: replace(w, start=np.full(len(w), 49.0), end=np.full(len(w), 55.0)),
    "one_length": lambda w: replace(w, end=w.start),
    "pointer_at_edge": lambda w: replace(w, start=np.zeros(len(w))),
    "span_movement": lambda w: replace(w, start=np.full(len(w), 2.0), end=np.full(len(w), 8.0)),
    "pointer_read": lambda w: replace(w, start=104 - w.end, end=104 - w.start),
    "neighbours_pointer": lambda w: replace(w, start=np.roll(w.start, 1), end=np.roll(w.end, 1)),
    "class_names": lambda w: replace(
        w, label=np.where(np.arange(len(w)) % 3, w.label, np.char.upper(w.label.astype(str)))
    ),
}


def whole_swing(windows):
    bars = np.sort([windows.prices[:, :, 1].argmax(1), windows.prices[:, :, 2].argmin(1)], axis=0)
    return replace(windows, start=bars[0].astype(float), end=bars[1].astype(float))


def again(values):
    """The first third of the values again and again."""
    return np.resize(values[: len(values) // 3], len(values))


def partly(windows, change):
    """A sixth of the windows with other prices."""
    prices = windows.prices.copy()
    prices[::6] = change(prices[::6])
    return replace(windows, prices=prices)


def filled_as_series(windows):
    """Four rows in ten counted on from the row before."""
    row = np.arange(len(windows))
    step = np.where(row % 10 < 5, row % 10, 0)
    return replace(windows, start=windows.start[row - step] + step, end=windows.end[row - step] + step)


def default(values, value):
    return np.where(np.arange(len(values)) % 5 == 0, value, values)


def rising(windows):
    """Prices turned upside down where the labelled expansion falls."""
    each = np.arange(len(windows))
    falls = windows.prices[each, windows.end.astype(int), 3] < windows.prices[each, windows.start.astype(int), 0]
    mirrored = 2 * windows.prices[:, :1, :1] - windows.prices[..., [0, 2, 1, 3]]
    return np.where(falls[:, None, None], mirrored, windows.prices)


def spiked(windows):
    prices = windows.prices.copy()
    prices[:, 30, 1] *= 1.2
    return replace(windows, prices=prices)


def outside(name: str, reading: Measured) -> bool:
    (sign,) = vitals.judge({name: reading}, "network")
    return sign.unusual


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_unusual_and_what_is_not_is_not(name, demo, windows):
    assert not outside(name, value(name, evidence_of(windows, demo.bars)))
    planted = evidence_of(PLANTED[name](windows), demo.bars)
    assert outside(name, value(name, planted)), value(name, planted)


def test_windows_of_another_time_are_told_from_windows_of_other_prices(demo, windows):
    late = evidence_of(windows, demo.bars, claimed=windows.start_time + np.timedelta64(60, "m"))
    own = value("unlike_bars", late)
    assert own.value > 0.9 and "-60 minutes" in own.detail and set(own.windows) <= set(windows.window_id)
    backwards = replace(windows, prices=windows.prices[:, ::-1][..., [3, 1, 2, 0]])
    assert "reverse" in value("unlike_bars", evidence_of(backwards, demo.bars)).detail
    cents = replace(windows, prices=windows.prices / 100)
    assert "times 0.01" in value("unlike_bars", evidence_of(cents, demo.bars)).detail


def test_windows_outside_of_the_bars_are_counted_where_others_or_their_prices_lie_inside(demo, windows):
    milliseconds = (windows.start_time.astype(np.int64) // 1000).astype("datetime64[ns]")
    own = value("unlike_bars", evidence_of(windows, demo.bars, claimed=milliseconds))
    assert own.value == 1 and "before the first bar or after the last" in own.detail
    middle = np.sort(windows.start_time)[len(windows) // 2]
    early = demo.bars.time < middle
    half = replace(demo.bars, time=demo.bars.time[early], ohlc=demo.bars.ohlc[early])
    cut = replace(windows, position=np.where(windows.start_time < middle, windows.position, -1))
    own = value("unlike_bars", evidence_of(cut, half, claimed=windows.start_time))
    assert own.value == pytest.approx(0.5, abs=0.05) and "after the last" in own.detail
    other = replace(windows, position=np.full(len(windows), -1))
    with pytest.raises(NotKnown):  # bars of another period say nothing of the windows
        value("unlike_bars", evidence_of(other, demo.bars, claimed=windows.start_time + np.timedelta64(900, "D")))


@pytest.mark.parametrize("bars", [-9, 5, 14])
def test_a_lag_of_the_pointers_is_measured_in_bars(windows, bars):
    assert value("pointer_lag", evidence_of(moved_by(bars)(windows))).value == pytest.approx(-bars, abs=1)


def test_a_class_that_is_the_length_of_its_expansion_is_told_from_one_whose_expansions_are_longer(windows):
    length = windows.end - windows.start
    rule = replace(windows, label=np.where(length > np.median(length), *windows.classes).astype(object))
    own = value("class_by_pointers", evidence_of(rule))
    assert own.value > 12 and "length" in own.detail
    longer = replace(windows, end=windows.end + 4 * (windows.label == windows.classes[0]))
    assert not outside("class_by_pointers", value("class_by_pointers", evidence_of(longer)))


@pytest.mark.parametrize(("share", "words"), [(0.5, "0.5 times as long from"), (2 / 3, "0.7 times as long from")])
def test_ends_that_are_marked_too_late_are_read_as_shorter_spans(windows, share, words):
    end = windows.start + (windows.end - windows.start + 1) / share - 1
    own = value("pointer_read", evidence_of(replace(windows, end=np.minimum(end.round(), 104))))
    assert outside("pointer_read", own) and words in own.detail
    assert not outside("pointer_read", value("pointer_read", evidence_of(windows)))


def digits_exchanged(bars):
    return bars // 100 * 100 + bars % 10 * 10 + bars // 10 % 10


@pytest.mark.parametrize("words", ["in steps of 2 bars", "with their digits exchanged"])
def test_pointers_that_were_changed_in_half_of_the_rows_are_read_otherwise(windows, words):
    change = digits_exchanged if "digits" in words else lambda bars: bars // 2
    some, sides = np.arange(len(windows)) % 2 == 0, np.stack([windows.start, windows.end])
    start, end = np.sort(np.where(some, change(sides), sides), axis=0)
    own = value("pointer_read", evidence_of(replace(windows, start=start, end=end)))
    assert own.value > 2 and words in own.detail


def test_expansions_of_one_class_that_go_one_way_more_often_are_unusual_unless_that_is_the_class(windows):
    each = np.arange(len(windows))
    rises = windows.prices[each, windows.end.astype(int), 3] > windows.prices[each, windows.start.astype(int), 0]
    first, second = windows.classes
    default = replace(windows, label=np.where(~rises & (windows.label == second), first, windows.label))
    own = value("class_by_pointers", evidence_of(default))
    assert outside("class_by_pointers", own) and f"100% of {second}" in own.detail
    named = replace(windows, label=np.where(rises, first, second))
    assert not outside("class_by_pointers", value("class_by_pointers", evidence_of(named)))


def test_a_group_whose_spans_do_not_move_is_named(windows):
    careless = np.arange(len(windows)) % 5 < 2
    source = np.where(careless, "first", "second").astype(object)
    places = np.random.default_rng(1).permutation(len(windows))
    sides = {
        name: np.where(careless, getattr(windows, name)[places], getattr(windows, name)) for name in ("start", "end")
    }
    own = value("pointer_by_group", evidence_of(replace(windows, source=source, **sides)))
    assert outside("pointer_by_group", own) and "move less" in own.detail and "source" in own.detail


def test_classes_that_one_figure_tells_without_an_error_are_told_from_those_that_follow_it(windows):
    reach = np.ptp(windows.prices.reshape(len(windows), -1), axis=1)
    high = reach > np.median(reach)
    rule, loose = (
        replace(windows, label=np.where(own, *windows.classes)) for own in (high, high ^ (ROWS.random(len(high)) < 0.1))
    )
    assert outside("class_by_figure", own := value("class_by_figure", evidence_of(rule))) and "range" in own.detail
    assert not outside("class_by_figure", value("class_by_figure", evidence_of(loose)))
    level = windows.prices[:, :, 3].mean(1)
    leveled = replace(windows, label=np.where(level > np.median(level), *windows.classes))
    assert outside("class_by_figure", value("class_by_figure", evidence_of(leveled)))


def test_a_stretch_of_one_class_in_the_middle_of_the_time_is_found(windows):
    place = np.argsort(np.argsort(windows.start_time)) / len(windows)
    usual = np.where(np.arange(len(windows)) % 3, windows.label, windows.classes[1])
    default = replace(windows, label=np.where((place > 0.3) & (place < 0.7), windows.classes[0], usual))
    own = value("class_by_time", evidence_of(default))
    assert outside("class_by_time", own) and "by date" in own.detail and own.windows


def test_ranges_that_belong_to_the_bars_before_are_unusual(windows):
    prices = windows.prices.copy()
    ends = prices[:, 1:, [0, 3]]
    prices[:, 1:, 1] = np.maximum(windows.prices[:, :-1, 1], ends.max(2))
    prices[:, 1:, 2] = np.minimum(windows.prices[:, :-1, 2], ends.min(2))
    own = value("body_and_range", evidence_of(replace(windows, prices=prices)))
    assert outside("body_and_range", own) and "-1 bars away" in own.detail


def test_one_group_with_a_lag_is_named(windows):
    late = moved_by(15)(windows)
    newest = windows.start_time >= np.sort(windows.start_time)[len(windows) // 2]
    mixed = replace(
        windows, start=np.where(newest, late.start, windows.start), end=np.where(newest, late.end, windows.end)
    )
    own = value("group_lag", evidence_of(mixed))
    assert own.value >= 12 and ("newest" in own.detail or "last half" in own.detail)


def test_a_lag_in_some_windows_of_no_group_is_measured(windows):
    late, some = moved_by(15)(windows), np.random.default_rng(3).random(len(windows)) < 0.7
    mixed = replace(windows, start=np.where(some, late.start, windows.start), end=np.where(some, late.end, windows.end))
    own = value("group_lag", evidence_of(mixed))
    assert own.value == pytest.approx(15, abs=1) and "that hold little movement" in own.detail


def test_rows_of_windows_that_overlap_may_count_on(windows):
    n = len(windows)
    sliding = replace(
        windows,
        start_time=windows.start_time[0] + np.arange(n) * np.timedelta64(1, "m"),
        start=np.arange(n, 0, -1) / 2,
        end=np.arange(n, 0, -1) / 2 + 9,
    )
    with pytest.raises(NotKnown):
        value("pointer_steps", evidence_of(sliding))


def test_twins_of_two_classes_are_counted(windows):
    doubled = windows.select(np.r_[np.arange(len(windows)), np.arange(9)])
    assert value("twins", evidence_of(doubled)).detail == "9 pairs"
    label = doubled.label.copy()
    label[-4:] = np.where(label[-4:] == windows.classes[0], windows.classes[1], windows.classes[0])
    assert value("twins", evidence_of(replace(doubled, label=label))).detail == "9 pairs, 4 of them with two classes"


def test_windows_with_two_labels_in_the_file_are_counted_though_the_reading_left_one_out(windows):
    answered = replace(windows, report=replace(windows.report, contradicting=40))
    own = value("twins", evidence_of(answered))
    assert outside("twins", own) and own.detail.startswith("40 windows of the file")
    assert own.value == pytest.approx(40 / (len(windows) + 20))


def test_labels_that_return_are_found_wherever_the_rows_lie(windows):
    half = len(windows) // 2
    twice = windows.select(np.random.default_rng(0).permutation(np.r_[np.arange(half), np.arange(half)]))
    again = value("labels_again", evidence_of(twice))
    assert outside("labels_again", again) and again.detail.startswith(f"{half} pairs")


@pytest.mark.parametrize("ahead", [10, 30])
def test_a_class_that_the_bars_after_the_window_tell_is_unusual(demo, windows, ahead):
    probabilities = ROWS.dirichlet([1, 1], (1, len(windows)))
    known = evidence_of(windows, demo.bars, probabilities=probabilities)
    assert not outside("told_after", value("told_after", known))
    last = windows.position + windows.bars - 1
    rise = demo.bars.ohlc[np.minimum(last + ahead, len(demo.bars) - 1), 3] > demo.bars.ohlc[last, 3]
    later = replace(windows, label=np.where(rise, *windows.classes))
    own = value("told_after", evidence_of(later, demo.bars, probabilities=probabilities))
    assert outside("told_after", own) and f"{ahead} bars after it: AUROC 1.00" in own.detail


def test_predictions_that_the_stored_networks_do_not_give_are_unusual(windows):
    p = ROWS.dirichlet([1, 1], len(windows))
    rows = {"repeat": 0, "fold": np.arange(len(windows)) % 3, "window_id": windows.window_id, "label": windows.label}
    rows |= {f"p_{name}": p[:, i] for i, name in enumerate(windows.classes)}
    rows["predicted"] = np.array(windows.classes)[p.argmax(1)]
    stored = pd.DataFrame(rows).sample(frac=1, random_state=1)
    again = value("predicted_again", evidence_of(windows, predictions=stored, again=p))
    assert again.value == 0 and not outside("predicted_again", again)
    other = value("predicted_again", evidence_of(windows, predictions=stored, again=np.roll(p, 1, 0)))
    assert outside("predicted_again", other)


@pytest.mark.parametrize(("kept", "unusual"), [(2, False), (4, True)])
def test_a_kept_epoch_whose_loss_is_not_the_lowest_is_unusual(kept, unusual):
    where = {"repeat": 0, "fold": 0}
    losses = [0.9, 0.5, 0.6, 0.8]
    events = [
        {"type": "epoch", "split": "validation", "epoch": i + 1, "values": {"loss": loss}} | where
        for i, loss in enumerate(losses)
    ]
    events.append({"type": "replicate_finished", "values": {"best_epoch": kept}} | where)
    own = SIGNS["kept_epoch"].measure(Evidence(None, None, np.zeros((1, 1, 1)), (), SPEC, events=events))  # type: ignore[arg-type]
    assert own.value == pytest.approx(losses[kept - 1] - 0.5) and outside("kept_epoch", own) == unusual


@pytest.mark.parametrize(("stored", "unusual"), [(0.5, False), (0.500001, False), (0.8, True), (0.3, True)])
def test_stored_weights_that_are_not_those_of_the_kept_epoch_are_unusual(stored, unusual):
    where = {"repeat": 0, "fold": 0}
    losses = [0.9, 0.5, 0.8]
    events = [
        {"type": "epoch", "split": "validation", "epoch": i + 1, "values": {"loss": 1.0, "loss_class": loss}} | where
        for i, loss in enumerate(losses)
    ]
    events.append({"type": "replicate_finished", "values": {"best_epoch": 2}} | where)
    known = {"events": events, "inner_again": {(0, 0): stored}}
    own = SIGNS["stored_epoch"].measure(Evidence(None, None, np.zeros((1, 1, 1)), (), SPEC, **known))  # type: ignore[arg-type]
    assert own.value == pytest.approx(abs(stored - 0.5)) and outside("stored_epoch", own) == unusual
    assert own.detail == f"{int(unusual)} of 1 fits differ"


def test_where_the_stored_networks_do_not_give_the_predictions_their_epoch_is_not_judged(windows):
    p = np.full((len(windows), 2), 0.5)
    frame = pd.DataFrame({"repeat": 0, "fold": 0, "window_id": windows.window_id, "label": windows.label})
    frame = frame.assign(**{f"p_{name}": 0.9 if i == 0 else 0.1 for i, name in enumerate(windows.classes)})
    own = evidence_of(windows, predictions=frame, again=p, inner_again={(0, 0): 0.7})
    with pytest.raises(NotKnown, match="do not give the stored predictions"):
        SIGNS["stored_epoch"].measure(own)


def test_every_sign_says_what_it_is_and_has_a_range():
    table = vitals.reference()
    assert len(SIGNS) >= 30 and table["limit"] >= 1
    for name, sign in SIGNS.items():
        assert (
            sign.stage in STAGES and sign.measure.__doc__ and sign.reason.endswith(".") and sign.advice[-1] in ".?"
        ), name
        groups = table["signs"][name]
        assert set(groups) <= ({"network", "other"} if sign.of_model else {"any"}), name
        assert all(np.all(np.diff(own["quantiles"]) >= 0) for own in groups.values()), name


def test_a_run_of_which_nothing_is_known_is_not_judged_and_why():
    readings, unknown = vitals.measure(Evidence(None, None, np.zeros((1, 1, 1)), (), SPEC))  # type: ignore[arg-type]
    assert not readings and len(unknown) == len(SIGNS) and all(row.why.endswith(".") for row in unknown)


def test_a_distance_is_0_at_the_median_1_at_the_farthest_and_grows():
    sign = Sign("s", "data", "", "", "", "", lambda evidence: Measured(0.0), tail="both")
    healthy = (-2.0, 0.0, 4.0)
    assert [ranges.distance(sign, v, healthy) for v in (0.0, 4.0, -2.0, 8.0, -8.0)] == [0, 1, 1, 2, 4]
    assert ranges.distance(replace(sign, tail="high"), -8.0, healthy) == 0
    assert ranges.distance(replace(sign, usual=(-9.0, 5.0)), -8.0, healthy) == 0


def test_many_signs_raise_no_more_alarms_than_one(monkeypatch):
    """40 signs of noise: about 3% of fresh healthy runs have an unusual one."""
    own = {f"sign{i}": Sign(f"sign{i}", "data", "", "", "", "", lambda evidence: Measured(0.0)) for i in range(40)}
    monkeypatch.setattr(ranges, "SIGNS", own)
    rng = np.random.default_rng(0)

    def runs(count):
        return [("network", {name: float(rng.exponential()) for name in own}) for _ in range(count)]

    table = ranges.table_of(runs(120))
    monkeypatch.setattr(ranges, "reference", lambda: table)
    alarms = [
        any(one.unusual for one in ranges.judge({name: Measured(v) for name, v in values.items()}, model))
        for model, values in runs(800)
    ]
    assert 0.005 < np.mean(alarms) < 0.08
