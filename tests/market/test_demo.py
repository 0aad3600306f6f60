import json

import numpy as np
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.demo import WORLDS, make_demo
from moola_core.market.windows import load_windows


def test_the_default_windows_are_those_of_the_plan():
    demo = make_demo(bars=60_000)
    kept, left_out = demo.windows.trainable()
    assert {name: int((kept.label == name).sum()) for name in kept.classes} == {"consolidation": 81, "retracement": 93}
    assert left_out == 166 and set(kept.grade) == {"A", "B", "C"}
    assert demo.windows.start.min() >= 23 and demo.windows.start.max() <= 85
    assert demo.windows.end.min() >= 31 and demo.windows.end.max() <= 95


@pytest.mark.parametrize("world", WORLDS)
def test_the_same_seed_gives_the_same_bits_and_another_does_not(world):
    one, again, other = (make_demo(world, 20_000, 40, seed) for seed in (1, 1, 2))
    assert one.bars.content_hash == again.bars.content_hash != other.bars.content_hash
    assert one.windows.content_hash == again.windows.content_hash
    assert one.truth == again.truth


def test_bars_look_like_a_market(demo):
    ohlc = demo.bars.ohlc
    assert (ohlc % 0.25 == 0).all() and demo.bars.report.ok
    change = np.diff(np.log(ohlc[:, 3]))
    assert ((change - change.mean()) ** 4).mean() / change.var() ** 2 > 4  # fat tails
    size = np.abs(change)
    assert np.corrcoef(size[:-5], size[5:])[0, 1] > 0.1  # clustering
    place = np.arange(len(ohlc)) % 1380
    spread = ohlc[:, 1] - ohlc[:, 2]
    assert spread[(place < 60) | (place > 1320)].mean() > 1.2 * spread[(place > 600) & (place < 780)].mean()  # U shape
    assert len(demo.bars.gaps) >= len(ohlc) // 1380 - 1  # the daily break


def test_worlds_differ_outside_the_windows():
    helpful, neutral = (make_demo(world, 20_000, 40, 1) for world in ("helpful", "neutral"))
    assert len(helpful.truth["episodes"]) > len(neutral.truth["episodes"]) == len(neutral.windows)


def test_written_files_load_again(demo, demo_files):
    bars = load_bars(demo_files["bars"])
    windows = load_windows(demo_files["windows"], bars=bars)
    assert bars.content_hash == demo.bars.content_hash
    assert windows.content_hash == demo.windows.content_hash
    truth = json.loads(demo_files["truth"].read_text())
    assert [row["position"] for row in truth["windows"]] == windows.position.tolist()


def test_too_few_bars_and_unknown_worlds_are_refused():
    with pytest.raises(DataError, match="Ask for at least"):
        make_demo(bars=5_000, windows=174)
    with pytest.raises(DataError, match="helpful, neutral, harmful"):
        make_demo("lucky")
