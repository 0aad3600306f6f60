"""Files of bars or windows as they were understood, written in one form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from moola_core.arguments import a_kind, a_path, refuse_unknown
from moola_core.errors import DataError
from moola_core.market import frames
from moola_core.market.bars import Bars, load_bars
from moola_core.market.checks import Report
from moola_core.market.library import recognise
from moola_core.market.questions import OpenQuestions
from moola_core.market.readers import read_header
from moola_core.market.settings import load_reading
from moola_core.market.windows import Windows, load_windows
from moola_core.specs import ReadOptions, build


def convert(
    file: str | Path, out: str | Path, bars: str | Path | None = None, *, answers: Mapping[str, Any] | None = None
) -> Path:
    """Write bars or labelled windows as they were understood.

    Parameters
    ----------
    file : str or Path
        Bars or labelled windows in any form that moola reads.
    out : str or Path
        The file to write: ``.parquet`` or ``.feather``; of bars also ``.csv``; of windows also ``.json``, which holds tasks of Label Studio.
    bars : str or Path, optional
        The bars that the windows are cut from or located in, read as the settings saved next to them say.
    answers : mapping of str to value, optional
        What `file` leaves open, over the settings saved next to it: ``{"tz": "America/New_York", "stamp": "end"}``.

    Returns
    -------
    Path
        The file written. Read again, it gives the same bars or windows.

    Raises
    ------
    OpenQuestions
        When the file leaves something open; ``questions`` says what, and which answers there are.
    DataError, StoreError
        When a file cannot be read or written; the message says how to fix it.
    """
    file, out = Path(a_path(file, "file")), Path(a_path(out, "out"))
    given = dict(a_kind(answers or {}, Mapping, "answers", 'Give a dict, such as {"tz": "UTC"}.'))
    refuse_unknown(given, ReadOptions.model_fields, "convert")
    reading = build(ReadOptions, load_reading(file).model_dump() | given, "answers")
    readings: dict[str, ReadOptions] = {kind_of(file, reading) if bars is None else "windows": reading}
    if bars is not None:
        readings["bars"] = load_reading(a_path(bars, "bars"))
    write(*load(file, bars, readings), out, (file, bars))
    return out


def kind_of(file: str | Path, reading: ReadOptions) -> Literal["bars", "windows"]:
    """What a file holds that is given alone; bars, where only its questions stand in the way of knowing. Raises DataError without a file."""
    if not Path(file).is_file():
        raise DataError("no such file.", where=str(file), hint="Check the path.")
    try:
        read_header(file, reading)
        return "bars" if recognise(file, reading).kind == "bars" else "windows"
    except OpenQuestions:
        return "bars"
    except DataError:
        return "windows"


def load(
    file: str | Path, bars: str | Path | None, readings: Mapping[str, ReadOptions]
) -> tuple[Bars | None, Windows | None]:
    """The bars, if any are given, and the windows, unless the file holds bars. readings: of `bars` and `windows`, each if there are any."""
    series = load_bars(bars or file, readings["bars"]) if "bars" in readings else None
    return series, load_windows(file, readings["windows"], series) if "windows" in readings else None


def report_of(bars: Bars | None, windows: Windows | None) -> Report:
    """What the reading of the windows was like, or of the bars where there are none."""
    loaded = bars if windows is None else windows
    assert loaded is not None, "a file holds one or the other"
    return loaded.report


def write(bars: Bars | None, windows: Windows | None, out: str | Path, read: tuple[str | Path | None, ...]) -> None:
    """Write the windows, or the bars where there are none. Raises DataError where `out` is one of the files that were `read`."""
    if Path(out).resolve() in {Path(path).resolve() for path in read if path}:
        raise DataError("is the file that is read.", where=str(out), hint="Choose another name with --out.")
    if windows is not None:
        frames.write_windows(windows, out, bars)
    elif bars is not None:
        frames.write(frames.bars_frame(bars), out)
