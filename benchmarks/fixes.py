"""How much of the lost score the doctor's first proposed run restores, on windows of markets in which nothing was planted.

    .venv/bin/python benchmarks/fixes.py --half counted [--budget] [--folder DIR]

Reads what `benchmarks/kinds.py` wrote for that half (with --budget: after experiments; --rows: another such file), launches the first run that a finding above a note
proposes, with the fault's code in place where the fault is code, and scores it as the faulty run was. Counted are faults that lower the
score by more than the noise of healthy runs. What was lost is what the healthy run of the same market and seed has more; next to it stands the share of what the mean of the healthy
runs of other seeds has more, which a perfect fix need not reach. Each fix is a run in the folder and is not made again.
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
    arguments.add_argument("--rows", type=Path)
    given = arguments.parse_args()
    path = given.rows or given.folder / f"{given.half}{'-budget' if given.budget else ''}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    clarity = {market.name: market.clarity for market in MARKETS[given.half]}
    restored = []
    for row in rows:
        same = [other for other in rows if other["kind"] is None and other["market"] == row["market"]]
        metric = worse_in(row.get("score") or {}, [other["score"] for other in same]) if row["kind"] else None
        proposed = next(
            (
                one
                for one in row["findings"]
                if one["severity"] != "info" and (one["spec"] or {}).get("kind") == "finetune"
            ),
            None,
        )
        if metric is None:
            continue
        if proposed is None:
            print(f"{row['kind']:<46} {'nothing proposed':<22} {metric}", flush=True)
            continue
        twin = next(other["score"] for other in same if other["trial"].endswith(row["trial"].rsplit("|", 1)[1]))
        usual = (twin[metric], float(np.mean([other["score"][metric] for other in same])))
        share = shares_restored(given.folder, row, proposed["spec"], clarity[row["market"]], metric, usual)
        print(f"{row['kind']:<46} {proposed['check']:<22} {metric:<16} {share}", flush=True)
        if not isinstance(share, str):
            restored.append(share)
    for title, own in zip(
        ("healthy run of its seed", "mean of healthy runs"), np.array(restored).reshape(-1, 2).T, strict=True
    ):
        print(
            f"{len(own)} fixes, against the {title}: {np.sum(own >= ENOUGH)} restore 90% or more, {np.sum(own < 0)} make it worse"
        )


def shares_restored(
    folder: Path, row: dict[str, Any], spec: dict[str, Any], clarity: float, metric: str, usual: tuple[float, float]
) -> tuple[float, ...] | str:
    """What of the lost score is restored, against each of the `usual` scores; why nothing can be said, where the run cannot be made."""
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
    before, sign = row["score"][metric], BETTER[metric][0]
    return tuple(round(sign * (after - before) / (sign * (healthy - before)), 2) for healthy in usual)


if __name__ == "__main__":
    main()
