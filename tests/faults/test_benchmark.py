"""benchmarks/faults.py, all of its parts: smaller in `make test`, where they take half a minute, and larger in `make soak`.

`make soak` does a tenth of it, 50 kills and 1,000 malformed inputs, in about ten minutes; `MOOLA_FAULTS=1 make soak` does all of it.
"""

from __future__ import annotations

import importlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from moola_core.launch import local
from tests.faults.kills import MARK
from tests.faults.malformed import KINDS

with pytest.MonkeyPatch.context() as _path:
    _path.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    faults = importlib.import_module("faults")

SHARE = float(os.environ.get("MOOLA_FAULTS", "0.1"))
SEED = int(os.environ.get("MOOLA_FAULTS_SEED", "3"))
# A process that trains, the clock, a worker, a process that is stopped and continued, and another host.
REDUCED = ("trainer", "clock", "worker", "stopped", "container")
HAS_NAMESPACES = subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode == 0
HAS_BROWSER = Path(faults.CHROMIUM or "").is_file()
pytestmark = [pytest.mark.timeout(max(900, 7200 * SHARE)), pytest.mark.usefixtures("few_trees")]
soak = pytest.mark.soak


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    """What the benchmark sets for its process alone."""
    for module in (local, faults):
        monkeypatch.setattr(module, "IDLE_S", 1.0)
    monkeypatch.setenv(MARK, "")


def share(full: int) -> int:
    return max(2, round(SHARE * full))


def has_no_loss(figures: dict[str, Any]) -> bool:
    """Whether every loss that the figures name is zero; shows them where one is not."""
    losses = {name: figures[name] for name in faults.LOSSES if figures.get(name)}
    assert not losses, figures
    return True


def kinds(names) -> list[str]:
    """Those that this host can do: other hosts need namespaces, and the app a browser."""
    return [name for name in names if (name != "container" or HAS_NAMESPACES) and (name != "app" or HAS_BROWSER)]


def test_whatever_is_killed_stopped_or_set_nothing_is_lost(tmp_path):
    wanted = kinds(REDUCED)
    figures = faults.killed(tmp_path, {"queued": wanted}, SEED, pause_s=0.5)
    assert has_no_loss(figures) and figures["kills"] == len(wanted) and figures["compared"] > 0


@soak
def test_more_of_every_kind_is_killed_and_nothing_is_lost(tmp_path):
    orders = {name: kinds(order) for name, order in faults.all_kinds(share(500), SEED).items()}
    figures = faults.killed(tmp_path, orders, SEED)
    assert has_no_loss(figures) and figures["kills"] == sum(map(len, orders.values())) and figures["compared"] > 0


@soak
@pytest.mark.skipif(not HAS_NAMESPACES, reason="namespaces need root")
def test_two_hosts_on_one_store_lose_nothing(tmp_path):
    figures = faults.hosts(tmp_path, share(10), SEED)
    assert has_no_loss(figures) and figures["hosts_times"] == share(10)


@soak
def test_a_clock_that_is_set_loses_nothing(tmp_path):
    figures = faults.clock(tmp_path, share(15), SEED)
    assert has_no_loss(figures) and figures["clock_times"] == share(15)


@pytest.mark.parametrize("each", [10, pytest.param(0, marks=soak)])
def test_every_malformed_input_is_refused_with_a_sentence(tmp_path, each):
    count = each * len(KINDS) or share(10_000)
    figures = faults.malformed(tmp_path / "inputs", count, SEED)
    assert has_no_loss(figures) and figures["inputs"] == count and figures["refused"] > count // 5
    assert set(figures["inputs_of"]) == set(KINDS)


@pytest.mark.parametrize("writes", [4, pytest.param(0, marks=soak)])
def test_a_disk_that_is_full_at_any_write_loses_nothing(tmp_path, writes):
    figures = faults.full(tmp_path, writes or share(60), SEED)
    assert has_no_loss(figures) and figures["full_runs"] == (writes or share(60)) and figures["full_sentences"] > 0


@soak
def test_submitters_at_once_lose_no_run(tmp_path):
    assert has_no_loss(faults.at_once(tmp_path))


@soak
def test_a_store_of_five_thousand_runs_is_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "MANY", share(5000))
    listed = faults.many(tmp_path)
    assert listed["many_runs"] == share(5000) and 0 < listed["many_again_s"] < 5
