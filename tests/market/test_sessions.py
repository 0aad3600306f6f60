"""Parts of the trading day, on the exchange's clock."""

import numpy as np
import pytest

from moola_core.market.sessions import kinds, within

HOUR = np.timedelta64(1, "h")


@pytest.mark.parametrize(
    ("first", "last", "kind"),
    [
        ("2024-01-03T14:30", "2024-01-03T20:59", "regular hours"),  # winter: 9:30 to 15:59
        ("2024-07-03T13:30", "2024-07-03T19:59", "regular hours"),  # summer
        ("2024-07-03T14:00", "2024-07-03T20:00", "both"),
        ("2024-01-03T14:29", "2024-01-03T15:00", "both"),
        ("2024-01-03T02:00", "2024-01-03T04:00", "overnight"),
        ("2024-01-03T21:00", "2024-01-04T14:29", "overnight"),
        ("2024-01-03T20:00", "2024-01-04T15:00", "both"),  # from one day to the next
        ("NaT", "2024-01-04T15:00", ""),
    ],
)
def test_sessions_of_spans(first, last, kind):
    edges = (np.array([moment], "datetime64[ns]") for moment in (first, last))
    assert kinds(*edges, "America/New_York").tolist() == [kind]


def test_the_same_span_has_the_same_session_on_another_clock_of_the_exchange():
    first = np.datetime64("2024-01-01", "ns") + np.arange(200) * HOUR
    there = kinds(first, first + HOUR, "America/Chicago")
    assert np.array_equal(there, kinds(first, first + HOUR, "America/New_York")) and len(set(there)) == 3
    assert set(kinds(first, first + HOUR, "Asia/Tokyo")) == {""}


def test_hours_may_run_over_midnight():
    times = np.datetime64("2024-01-03", "ns") + np.arange(24) * HOUR
    assert (~within(times, ("18:00", "17:00"), "America/New_York")).sum() == 1
    assert within(times, ("09:00", "16:00"), "UTC").sum() == 7
