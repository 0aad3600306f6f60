"""Bars in JSON, as the interfaces of brokers and exchanges answer: rows at any depth, objects in rows, lists for each price."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.specs import ReadOptions
from tests.market.generated_files import walk

TIMES = pd.date_range("2024-03-04 23:00", periods=200, freq="min", tz="UTC")
OHLC = walk(np.random.default_rng(0), 200, 16800.0)
SECONDS = [int(moment.timestamp()) for moment in TIMES]
NEWEST_FIRST = list(zip(TIMES.tz_convert("America/New_York"), OHLC, strict=True))[::-1]
ANSWERS = {
    "objects in rows": {
        "instrument": "NAS100_USD",
        "candles": [
            {"complete": True, "time": moment.isoformat(), "mid": dict(zip("ohlc", map(str, row), strict=True))}
            for moment, row in zip(TIMES, OHLC, strict=True)
        ],
    },
    "lists for each price": {
        "chart": {
            "result": [
                {
                    "meta": {"symbol": "NQ=F"},
                    "timestamp": SECONDS,
                    "indicators": {
                        "quote": [
                            {name: OHLC[:, i].tolist() for i, name in enumerate(("open", "high", "low", "close"))}
                        ]
                    },
                }
            ]
        }
    },
    "rows by their times": {
        "Meta Data": {"6. Time Zone": "US/Eastern"},
        "Time Series (1min)": {
            f"{moment:%Y-%m-%d %H:%M:%S}": {
                f"{i}. {name}": str(row[i - 1]) for i, name in enumerate(("open", "high", "low", "close"), start=1)
            }
            for moment, row in NEWEST_FIRST
        },
    },
}


@pytest.mark.parametrize("form", ANSWERS)
@pytest.mark.parametrize("ending", ["json", "json.gz"])
def test_bars_are_read_out_of_any_answer(tmp_path, form, ending):
    path, data = tmp_path / f"b.{ending}", json.dumps(ANSWERS[form]).encode()
    path.write_bytes(gzip.compress(data) if ending == "json.gz" else data)
    zone = {"tz": "America/New_York"} if form == "rows by their times" else {}
    bars = load_bars(path, ReadOptions(**zone))
    assert np.array_equal(bars.time, TIMES.tz_localize(None).to_numpy()) and np.array_equal(bars.ohlc, OHLC)


def test_intervals_without_a_class_are_refused_with_what_is_needed(tmp_path):
    path = tmp_path / "nab.json"
    path.write_text(json.dumps({"nq.csv": [["2024-01-02 23:29:00", "2024-01-03 01:14:00"]] * 3}))
    with pytest.raises(DataError, match=r"intervals without a class.*two or more classes"):
        load_bars(path)
