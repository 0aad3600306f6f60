"""`benchmarks/alternate.py` on two checkouts whose benchmark takes a known time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "alternate.py"
BENCHMARK = """
import json
from pathlib import Path

import known

out = Path(__file__).parent / "results" / "step.json"
assert not out.is_file(), "what was measured before is out of the way"
turn = Path(__file__).parent / "turn"
number = int(turn.read_text()) if turn.is_file() else 0
turn.write_text(str(number + 1))
seconds = known.STEP_S * (1, 5, 1)[number % 3]
out.write_text(json.dumps({"bars": 9, "cpu": {"rows": [{"model": "1x32", "step_ms": seconds * 1e3}]}, "seconds": {"paint": [1, 2, 3]}}))
"""


def checkout(folder: Path, seconds: float, program: str = BENCHMARK) -> Path:
    (folder / "benchmarks" / "results").mkdir(parents=True)
    (folder / "known.py").write_text(f"STEP_S = {seconds}\n", encoding="utf-8")
    (folder / "benchmarks" / "step.py").write_text(program, encoding="utf-8")
    (folder / "benchmarks" / "results" / "step.json").write_text('{"committed": true}', encoding="utf-8")
    return folder


@pytest.fixture
def alternate(tmp_path):
    """The script in a folder of its own, where it may write its result."""
    (tmp_path / "results").mkdir()
    script = tmp_path / "alternate.py"
    script.write_bytes(SCRIPT.read_bytes())

    def run(*arguments):
        command = [sys.executable, str(script), *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")

    return run


def test_medians_of_runs_in_turn_and_their_ratio(alternate, tmp_path):
    old, new = checkout(tmp_path / "old", 0.02), checkout(tmp_path / "new", 0.03)
    done = alternate(old, new, "step", "--runs", 3)
    assert done.returncode == 0 and "1 of 2 figures are slower by more than 10%" in done.stdout, done.stderr
    order = [line.rpartition("/")[2] for line in done.stdout.splitlines() if "run " in line]
    assert order == ["old", "new", "new", "old", "old", "new"]
    rows = {row["figure"]: row for row in json.loads((tmp_path / "results" / "alternate.json").read_text())["rows"]}
    step, paint = rows["cpu rows 1x32 step_ms"], rows["seconds paint"]
    assert (step["old"], step["new"], step["ratio"]) == pytest.approx((20, 30, 1.5)) and len(rows) == 2
    assert (paint["old"], paint["ratio"]) == (2, 1)
    kept = [(folder / "benchmarks" / "results" / "step.json").read_text() for folder in (old, new)]
    assert kept == ['{"committed": true}'] * 2, "committed results stay"


def test_a_benchmark_that_fails_shows_its_error_and_leaves_the_results(alternate, tmp_path):
    old, new = checkout(tmp_path / "old", 1), checkout(tmp_path / "new", 1, "raise SystemExit('no card')")
    done = alternate(old, new, "step", "--runs", 1)
    assert done.returncode == 1 and "step failed in" in done.stderr and "no card" in done.stderr
    assert (new / "benchmarks" / "results" / "step.json").read_text() == '{"committed": true}'
