"""How often features of no use are called useful: labels shuffled, 100 seeds, 5,000 permutations each.

.venv/bin/python benchmarks/false_discoveries.py [--seeds 100] [--permutations 5000]

On the demo market's `helpful` windows the labels are permuted freely and the feature table is computed as the app does. Counted: seeds
without any feature of q < 0.05 (held to at least 91 of 100), and seeds in which some |r| of a whole window passes 0.15.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import numpy as np

from moola_core.diagnostics.correlation import label_table
from moola_core.features.catalog import FEATURES
from moola_core.features.matrix import window_matrix
from moola_core.market.demo import make_demo
from moola_core.market.windows import overlap
from moola_core.specs import Features
from moola_core.targets import NOTABLE_R

LIMIT = 0.91
RESULT = Path(__file__).parent / "results" / "false_discoveries.json"


def main() -> None:
    """Print the counts and write them with host and versions."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=100)
    arguments.add_argument("--permutations", type=int, default=5000)
    given = arguments.parse_args()
    windows, _ = make_demo("helpful").windows.trainable()
    x = window_matrix(windows, Features())
    shared = overlap(windows)
    names = tuple(feature.name for feature in FEATURES)
    clean, flagged, smallest = 0, 0, []
    for seed in range(given.seeds):
        label = np.random.default_rng(seed).permutation(windows.label.astype(str))
        rows = label_table(x, label, windows.start, names, shared, (given.permutations, seed))
        smallest.append(min(row.q for row in rows))
        clean += smallest[-1] >= 0.05
        flagged += any(abs(row.r) > NOTABLE_R for row in rows if row.aggregate == "window")
    print(
        f"{len(windows)} windows in {len(np.unique(shared.groups()))} groups, {len(rows)} tests, {given.permutations} permutations"
    )
    print(
        f"no feature with q < 0.05:     {clean} of {given.seeds}, limit {LIMIT:.0%}: {'held' if clean >= LIMIT * given.seeds else 'NOT HELD'}"
    )
    print(f"some |r| > 0.15 (whole window): {flagged} of {given.seeds}")
    found = {
        "seeds": given.seeds,
        "permutations": given.permutations,
        "clean": clean,
        "flagged_by_r": flagged,
        "smallest_q": smallest,
    }
    host = {"python": platform.python_version(), "numpy": np.__version__, "cores": os.cpu_count()}
    RESULT.write_text(json.dumps({"host": host, **found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
