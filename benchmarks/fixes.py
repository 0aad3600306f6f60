"""How much of the lost score the doctor's first proposed run restores, on windows of markets in which nothing was planted.

    .venv/bin/python benchmarks/fixes.py --half counted [--budget] [--folder DIR]

Reads what `benchmarks/kinds.py` wrote for that half (with --budget: after experiments), launches the first run that a finding above a note
proposes, with the fault's code in place where the fault is code, and scores it as the faulty run was. Counted are faults that lower the
score by more than the noise of healthy runs. Each fix is a run in the folder and is not made again.
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from doctor import made
from kinds import BETTER, BY_NAME, MARKETS, score_of, worse_in

from moola_core.errors import MoolaError
from moola_core.runs.store import Store
from moola_core.specs import parse

ENOUGH = 0.9  # of what was lost


def main() -> None:
    """A line for each fault with a proposed run, and the shares."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--half", choices=tuple(MARKETS), default="choosing")
    arguments.add_argument("--budget", action="store_true")
    arguments.add_argument("--folder", type=Path, default=Path("artifacts/benchmark-kinds"))
    given = arguments.parse_args()
    path = given.folder / f"{given.half}{'-budget' if given.budget else ''}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    clarity = {market.name: market.clarity for market in MARKETS[given.half]}
    restored = []
    for row in rows:
        healthy = [other["score"] for other in rows if other["kind"] is None and other["market"] == row["market"]]
        metric = worse_in(row.get("score") or {}, healthy) if row["kind"] else None
        proposed = next(
            (
                one
                for one in row["findings"]
                if one["severity"] != "info" and (one["spec"] or {}).get("kind") == "finetune"
            ),
            None,
        )
        if metric is None or proposed is None:
            continue
        share = share_restored(given.folder, row, proposed["spec"], clarity[row["market"]], healthy)
        print(f"{row['kind']:<46} {proposed['check']:<22} {metric:<16} {share}", flush=True)
        if isinstance(share, float):
            restored.append(share)
    done = np.array(restored)
    print(
        f"{len(done)} fixes: {np.mean(done >= ENOUGH):.2f} restore 90% or more, {np.mean(done < 0):.2f} make it worse"
    )


def share_restored(
    folder: Path, row: dict[str, Any], spec: dict[str, Any], clarity: float, healthy: list[dict[str, float]]
) -> float | str:
    """What of the lost score is restored; why nothing can be said, where the run cannot be made."""
    metric = worse_in(row["score"], healthy)
    assert metric is not None
    try:
        with BY_NAME[row["kind"]].patched():
            run = made(
                Store(folder),
                parse(spec),
                f"fix of {row['trial']}, {zlib.crc32(json.dumps(spec, sort_keys=True).encode()):08x}",
            )
        after = score_of(run, clarity)[metric]
    except (MoolaError, KeyError) as error:
        return f"not made: {error}"
    before, usual = row["score"][metric], float(np.mean([one[metric] for one in healthy]))
    sign = BETTER[metric][0]
    return round(sign * (after - before) / (sign * (usual - before)), 2)


if __name__ == "__main__":
    main()
