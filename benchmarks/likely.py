"""How probable it is that a finding of the doctor names the cause: learns the table of the product, and counts how well it is calibrated.

    .venv/bin/python benchmarks/likely.py ROWS.jsonl [ROWS.jsonl ...] [--count ROWS.jsonl] [--write]

ROWS.jsonl is what `benchmarks/kinds.py` writes. Each run with a planted fault is taken twice where experiments were made, without and with
what they show. The findings of one kind are left out in turn (leave-one-group-out), so that no kind is judged by itself; --count judges the
rows of other kinds, which nothing was learned from. Printed for the first finding of each run and for all: the expected calibration
error over five bins of equal numbers, and the reliability table. --write writes the table of the product, learned from all ROWS.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from kinds import causes_of, parts_of
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from moola_core.diagnostics.doctor import likely
from moola_core.diagnostics.results import Finding

BINS = 5


class Cases(NamedTuple):
    """Findings: their traits, whether they name the cause, which kind of fault was planted, and their place among the findings."""

    traits: np.ndarray
    hit: np.ndarray
    kind: np.ndarray
    place: np.ndarray


def cases_of(paths: list[Path]) -> Cases:
    """The findings above a note of all runs with a planted fault."""
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    parts = [
        (row["kind"], findings)
        for row in rows
        if row["kind"]
        for findings in ([row["findings"], _without(row)] if row.get("experiments") else [row["findings"]])
    ]
    found = [(kind, *_judged(kind, findings)) for kind, findings in parts]
    return Cases(
        np.concatenate([traits for _, traits, _ in found]),
        np.concatenate([hits for _, _, hits in found]),
        np.concatenate([[kind] * len(hits) for kind, _, hits in found]),
        np.concatenate([np.arange(len(hits)) for _, _, hits in found]),
    )


def _without(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in row["findings"] if one["check"] != "experiments"]


def _judged(kind: str, findings: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """The traits of the findings above a note, and whether each names the cause."""
    grave = [one for one in findings if one["severity"] != "info"]
    known = dict.fromkeys(Finding.__dataclass_fields__)
    traits = likely.traits([Finding(**(known | {k: v for k, v in one.items() if k in known})) for one in grave])
    return traits, np.array([bool(set(parts_of(one)) & set(causes_of(kind))) for one in grave], bool)


def show(title: str, p: np.ndarray, hit: np.ndarray) -> None:
    """The calibration error, and how often the cause was named where it was said to be how probable."""
    if not len(hit):
        return
    bins = np.array_split(np.argsort(p), min(BINS, len(p)))
    error = sum(len(own) * abs(p[own].mean() - hit[own].mean()) for own in bins) / len(p)
    print(f"{title}: {len(p)} findings, named {hit.mean():.2f}, expected calibration error {error:.3f}")
    for own in bins:
        print(f"  said {p[own].mean():.2f}  named {hit[own].mean():.2f}  of {len(own)}")


def main() -> None:
    """Learn, count, and write the table where asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("rows", type=Path, nargs="+")
    arguments.add_argument("--count", type=Path, nargs="*", default=[])
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    own, model = cases_of(given.rows), LogisticRegression(C=1.0, max_iter=1000)
    p = cross_val_predict(model, own.traits, own.hit, groups=own.kind, cv=LeaveOneGroupOut(), method="predict_proba")[
        :, 1
    ]
    show("first findings, each kind left out", p[own.place == 0], own.hit[own.place == 0])
    show("all findings, each kind left out", p, own.hit)
    model.fit(own.traits, own.hit)
    if given.count:
        other = cases_of(given.count)
        p = model.predict_proba(other.traits)[:, 1]
        show("first findings of other kinds", p[other.place == 0], other.hit[other.place == 0])
        show("all findings of other kinds", p, other.hit)
    if given.write:
        weights = dict(zip(likely.TRAITS, np.round(model.coef_[0], 4).tolist(), strict=True))
        table = {
            "faults": len(set(own.kind)),
            "intercept": round(float(model.intercept_[0]), 4),
            "weights": list(weights.values()),
        }
        likely.TABLE.write_text(json.dumps(table) + "\n", encoding="utf-8")
        print(weights)


if __name__ == "__main__":
    main()
