"""What the data is and what the network reads of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from moola_core.specs.part import SpecModel

DATE_ORDERS = {"day-first": "dmy", "month-first": "mdy", "year-first": "ymd"}

ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class ReadOptions(SpecModel):
    """How a file of bars or labelled windows is to be understood; saved next to it as `<name>.moola.json`."""

    column_map: dict[str, str] = Field({}, description="our column name to the file's, where they differ")
    class_map: dict[str, str] = Field({}, description="label in the file to class name, where they differ")
    tz: str | None = Field(
        None,
        description="time zone of naive times, such as America/New_York; taken from the file where it shows it, else asked for",
    )
    date_order: Literal["dmy", "mdy", "ymd"] | None = Field(
        None, description="order of day, month and year in dates such as 05/02/2024; taken from the dates when empty"
    )
    stamp: Literal["start", "end"] | None = Field(
        None, description="whether a bar's time is its start or its end; taken from the file where it shows it"
    )
    separator: str | None = Field(
        None, description="what separates the columns of a text file: comma, semicolon, tab, pipe or another sign"
    )
    decimal: Literal[".", ","] | None = Field(None, description="the decimal mark in a text file")
    header: bool | None = Field(None, description="whether the first row of a text file names the columns")
    column_names: tuple[str, ...] = Field(
        (), description="names of the columns in their order, such as time,open,high,low,close, where the file has none"
    )
    scale: float | None = Field(None, gt=0, description="what whole-number prices are multiplied by, such as 1e-9")
    contract: str | None = Field(None, description="the instrument or contract to keep, where the file holds several")
    roll: Literal["volume"] | None = Field(
        None, description="join the contracts of the file: from each to the next when the next has more volume"
    )
    adjust: bool = Field(False, description="shift the prices before each roll by the jump at it")
    ends: Literal["exclusive", "inclusive"] | None = Field(
        None, description="whether a window's end is the moment after its last bar, or that bar itself"
    )
    lengths: Literal["center", "start", "expansion", "refuse"] | None = Field(
        None, description="where windows of one length are cut when the labelled intervals have different lengths"
    )
    annotator: str | None = Field(
        None, description="whose labels count where annotators disagree: majority, all, or a person's id"
    )
    twice: Literal["keep", "first", "last", "drop"] | None = Field(
        None, description="which label counts for a window that is given twice with different labels"
    )
    bar_labels: Literal["runs"] | None = Field(
        None, description="labels of single bars: runs of equal labels become windows"
    )
    paired_bars: str | None = Field(None, description="fingerprint of the file of bars that these windows belong to")
    exchange_tz: str = Field("America/New_York", description="time zone in which times are shown")
    session: tuple[ClockTime, ClockTime] = Field(
        ("18:00", "17:00"), description="session open and close, exchange time"
    )
    window_bars: int | None = Field(
        None, ge=10, le=500, description="window length in bars; read from the file when empty"
    )
    repair: Literal["refuse", "drop", "drop-many"] = Field(
        "refuse", description="refuse bad rows, drop and report up to 5% of them, or drop any number"
    )
    max_gap_bars: int = Field(10, ge=1, description="a longer hole between bars is a gap")

    @field_validator("date_order", mode="before")
    @classmethod
    def _order(cls, value: Any) -> Any:
        return DATE_ORDERS.get(value, value) if isinstance(value, str) else value

    @field_validator("header", mode="before")
    @classmethod
    def _header(cls, value: Any) -> Any:
        return {"none": False, "first": True}.get(value, value) if isinstance(value, str) else value

    @field_validator("column_names", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) and value else value


class Data(SpecModel):
    windows: str = Field("", description="file of labelled windows")
    bars: str | None = Field(None, description="file of bars that the windows were cut from")
    windows_reading: ReadOptions = Field(ReadOptions(), description="how the file of windows is read")
    bars_reading: ReadOptions = Field(ReadOptions(), description="how the file of bars is read")
    exclude_grades: tuple[str, ...] = Field(("D",), description="grades that take no part in training")


class Features(SpecModel):
    columns: tuple[str, ...] = Field(
        ("relativity",), min_length=1, description="feature names, or the groups relativity (12) and price_path (4)"
    )
    state: Literal["per_window", "streaming"] = Field(
        "per_window", description="swing state starts at each window's first bar, or runs on over the bars (needs bars)"
    )
    standardise: bool = Field(True, description="centre and scale each feature, fitted on the training folds")
