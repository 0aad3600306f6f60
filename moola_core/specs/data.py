"""What the data is and what the network reads of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from moola_core.specs.part import Part


class Reading(Part):
    """How a file of bars or labelled windows is to be understood; saved next to it as `<name>.moola.json`."""

    column_map: dict[str, str] = Field({}, description="our column name to the file's, where they differ")
    class_map: dict[str, str] = Field({}, description="label in the file to class name, where they differ")
    tz: str | None = Field(None, description="time zone of naive times in the file; UTC is assumed when empty")
    date_order: Literal["dmy", "mdy", "ymd"] | None = Field(
        None, description="order of day, month and year in dates such as 05/02/2024; taken from the dates when empty"
    )
    exchange_tz: str = Field("America/New_York", description="time zone in which times are shown")
    session: tuple[str, str] = Field(("18:00", "17:00"), description="session open and close, exchange time")
    window_bars: int | None = Field(
        None, ge=10, le=500, description="window length in bars; read from the file when empty"
    )
    repair: Literal["refuse", "drop"] = Field("refuse", description="refuse bad rows, or drop and report them")
    max_gap_bars: int = Field(10, ge=1, description="a longer hole between bars is a gap")


class Data(Part):
    windows: str = Field("", description="file of labelled windows")
    bars: str | None = Field(None, description="file of bars that the windows were cut from")
    windows_reading: Reading = Field(Reading(), description="how the file of windows is read")
    bars_reading: Reading = Field(Reading(), description="how the file of bars is read")
    grades_left_out: tuple[str, ...] = Field(("D",), description="grades that take no part in training")


class Features(Part):
    columns: tuple[str, ...] = Field(
        ("relativity",), min_length=1, description="feature names, or the groups relativity (12) and price_path (4)"
    )
    state: Literal["restarted", "continuous"] = Field(
        "restarted", description="swing state starts at each window's first bar, or runs on over the bars (needs bars)"
    )
    standardise: bool = Field(True, description="centre and scale each feature, fitted on the training folds")
