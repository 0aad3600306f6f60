"""Dates in numbers: read by evidence in the whole column, asked about where there is none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.settings import save_reading
from moola_core.market.times import parse_times
from moola_core.specs import ReadOptions
from moola_core.specs.data import DATE_ORDERS

FORMS = {"dmy": "%d{0}%m{0}%Y", "mdy": "%m{0}%d{0}%Y"}
SHORT = {"dmy": "%d{0}%m{0}%y", "mdy": "%m{0}%d{0}%y", "ymd": "%y{0}%m{0}%d"}


def bars_of(moments, form):
    text = pd.DatetimeIndex(moments).strftime(form)
    return pd.DataFrame({"time": text, "open": 100.0, "high": 101.0, "low": 99.0, "close": 100.5})


def minutes(start, n=60, step="1min"):
    return pd.date_range(start, periods=n, freq=step)


@pytest.mark.parametrize("separator", ["/", ".", "-"])
@pytest.mark.parametrize("clock", ["%H:%M", "%H:%M:%S", "%I:%M %p"])
@pytest.mark.parametrize("order", FORMS)
def test_a_day_above_12_decides_for_the_whole_column(tmp_path, order, separator, clock):
    moments = minutes("2024-02-12 23:30")  # the first half fits both orders
    path = tmp_path / "b.csv"
    bars_of(moments, f"{FORMS[order].format(separator)} {clock}").to_csv(path, index=False)
    assert np.array_equal(load_bars(path, ReadOptions(tz="UTC")).time, moments.to_numpy("datetime64[ns]"))


@pytest.mark.parametrize("order", FORMS)
def test_bars_that_run_on_over_midnight_decide(tmp_path, order):
    moments = minutes("2024-02-05 22:00", 40, "10min")
    path = tmp_path / "b.csv"
    bars_of(moments, FORMS[order].format("/") + " %H:%M").to_csv(path, index=False)
    bars = load_bars(path, ReadOptions(tz="UTC"))
    assert np.array_equal(bars.time, moments.to_numpy("datetime64[ns]"))
    assert any("the rows follow one another" in note for note in bars.report.warnings)


@pytest.mark.parametrize(
    "form", ["%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d-%m-%y %H:%M", "%a %d/%m/%Y %H:%M", "%H:%M %d/%m/%Y"]
)
def test_dates_that_fit_both_orders_are_asked_about_and_right_once_answered(tmp_path, form):
    moments = minutes("2024-02-05 09:00")
    path = tmp_path / "b.csv"
    bars_of(moments, form).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"day-first .*5 February 2024.* --dates month-first .*2 May 2024") as asked:
        load_bars(path, ReadOptions(tz="UTC"))
    assert asked.value.exit_status == 2 and "Read a new file" in str(asked.value)
    assert load_bars(path, ReadOptions(tz="UTC", date_order="dmy")).time[0] == np.datetime64("2024-02-05T09:00")
    save_reading(path, ReadOptions(tz="UTC", date_order="mdy"))
    assert load_bars(path).time[0] == np.datetime64("2024-05-02T09:00")


def test_labels_in_order_of_time_decide_and_few_of_them_do_not():
    days = pd.to_datetime(["2024-01-05", "2024-02-03", "2024-03-02", "2024-04-08", "2024-05-01", "2024-06-07"])
    texts = pd.Series(days.strftime("%d/%m/%Y"))
    times, _ = parse_times(texts, ReadOptions(tz="UTC"), "labels")
    assert np.array_equal(times, days.to_numpy("datetime64[ns]"))
    with pytest.raises(DataError, match="all dates of the file fit both"):
        parse_times(texts[:3], ReadOptions(tz="UTC"), "labels")


def test_dates_in_two_orders_in_one_column_are_refused():
    with pytest.raises(DataError, match=r"13/02/2024 and others such as 02/14/2024"):
        parse_times(pd.Series(["13/02/2024 10:00", "02/14/2024 10:00"]), ReadOptions(), "f.csv")


@pytest.mark.parametrize(
    "text", ["2024-02-05 10:00", "2024/2/5 10:00", "5 Feb 2024 10:00", "20240205 10:00", "2024-02-05 10:00:00 10-30"]
)
def test_dates_that_say_their_order_are_not_asked_about(text):
    parse_times(pd.Series([text]), ReadOptions(tz="UTC"), "f.csv")


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(min_value=pd.Timestamp("1990-01-01"), max_value=pd.Timestamp("2060-01-01")),
    st.sampled_from([*FORMS.items(), *SHORT.items()]),
    st.sampled_from("/.-"),
    st.integers(1, 700),
)
def test_bars_are_read_right_or_asked_about_and_never_read_wrong(start, form, separator, step):
    order, form = form
    moments = minutes(pd.Timestamp(start).floor("min"), 60, f"{step}min")
    texts = pd.Series(moments.strftime(form.format(separator) + " %H:%M"))
    truth = moments.to_numpy("datetime64[ns]")
    try:
        found, _ = parse_times(texts, ReadOptions(tz="UTC"), "f.csv")
        assert np.array_equal(found, truth)
    except OpenQuestions as error:
        assert order in {DATE_ORDERS[answer] for answer in error.questions[0].answers}
        found, _ = parse_times(texts, ReadOptions(tz="UTC", date_order=order), "f.csv")
        assert np.array_equal(found, truth)
