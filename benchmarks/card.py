"""The tests and figures that need a card: parity of all engines and forms there, then what the card does.

    make cuda

Without a card it says so and ends well. With one it writes results/cuda-<card>.json, which is to be committed.
"""

from __future__ import annotations

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


def main() -> int:
    if not torch.cuda.is_available():
        print("No card that torch can use is here: nothing was run, and nothing is claimed for CUDA.")
        return 0
    workers = str(max(1, min(8, (os.cpu_count() or 1) - 1)))
    options = ("-q", "-p", "no:cacheprovider", "-n", workers, "--dist", "loadgroup")
    command = [sys.executable, "-m", "pytest", "--device", "cuda", *TESTS, *options]
    passed = subprocess.run(command, check=False).returncode == 0
    with tempfile.TemporaryDirectory() as folder:
        figures, _ = tune(Path(folder), hardware("cuda"), quick=False, say=print)
    print(printed(figures))
    path = RESULTS / f"cuda-{slug(figures.hardware.name)}.json"
    path.write_text(
        codec.dumps(asdict(figures) | {"tests": list(TESTS), "tests_passed": passed}, indent=1) + "\n", encoding="utf-8"
    )
    print(f"\nTests {'passed' if passed else 'FAILED'}. To keep the figures: git add {path.relative_to(Path.cwd())}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
