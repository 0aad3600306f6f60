"""The tests and figures that need a card: parity of all engines and forms there, then what the card does.

    make cuda          (or python benchmarks/card.py --part tests, --part figures)

Without a card it says so and ends well. With one it writes results/cuda-<card>.json, which is to be committed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch

from moola_core.cli.tune import printed
from moola_core.launch.host import hardware
from moola_core.launch.tuning.measure import tune
from moola_core.runs import codec

RESULTS = Path(__file__).parent / "results"
TESTS = ("tests/models", "tests/training", "tests/metrics", "tests/launch/test_tuning.py")


def slug(card: str) -> str:
    """A card's name as a file's name has it."""
    return re.sub(r"[^a-z0-9]+", "-", card.lower()).strip("-")


def tests_passed() -> bool:
    """Whether the tests of everything that computes pass on the card."""
    workers = str(max(1, min(8, (os.cpu_count() or 1) - 1)))
    options = ("-q", "-p", "no:cacheprovider", "-n", workers, "--dist", "loadgroup")
    command = [sys.executable, "-m", "pytest", "--device", "cuda", *TESTS, *options]
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=("tests", "figures", "both"), default="both")
    part = parser.parse_args().part
    if not torch.cuda.is_available():
        print("No card that torch can use is here: nothing was run, and nothing is claimed for CUDA.")
        return 0
    card = hardware("cuda")
    path, made = RESULTS / f"cuda-{slug(card.name)}.json", {}
    if part != "figures":
        made = {"tests": list(TESTS), "tests_passed": tests_passed()}
    if part != "tests":
        with tempfile.TemporaryDirectory() as folder:
            figures, _ = tune(Path(folder), card, quick=False, say=print)
        print(printed(figures))
        made |= asdict(figures)
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(codec.dumps(before | made, indent=1) + "\n", encoding="utf-8")
    if part != "figures":
        print(f"\nTests {'passed' if made['tests_passed'] else 'FAILED'}.")
    print(f"To keep what was measured: git add {path.relative_to(Path.cwd())}")
    return 0 if made.get("tests_passed", True) else 1


if __name__ == "__main__":
    sys.exit(main())
