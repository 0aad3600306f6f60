"""How probable it is that a finding of the doctor names the cause: learns the table of the product, and counts how well it is calibrated.

    .venv/bin/python benchmarks/likely.py NAME=ROWS.jsonl[,ROWS.jsonl ...] ... [--first NAME=ROWS.jsonl ...] [--count ROWS.jsonl ...] [--write]

ROWS.jsonl is what `benchmarks/kinds.py` writes, NAME a set of kinds that was written by itself. Each run with a planted fault is taken twice where experiments were made, without and with
what they show. --first: the rows of a set as it was judged for the first time, before the doctor learned anything from it; these are learned from as well, and what a set is counted on.

Kinds of a new set are not like those that are known: the table is counted on one set after another, learned from the others alone (leave-one-set-out), for each of PENALTIES
and SHIFTS of the intercept, those of the least log loss are taken. Each file of findings of a set weighs as much as those of another. Printed for the first finding of each run: the expected calibration
error over five bins of equal numbers by set and over all of them, what a perfectly calibrated table would have by chance, and the reliability table. --count judges the rows of sets that nothing was learned
from. --write writes the table of the product, learned from all sets. --first-alone: what is learned is only how much surer a finding is where it is the first of its run, as log odds with a normal prior of
deviation 1, next to the table that there is.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from kinds import causes_of, parts_of
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from moola_core.diagnostics.doctor import likely
from moola_core.diagnostics.results import Finding

BINS = 5
PENALTIES = (0.03, 0.1, 0.3, 1.0)  # inverse strength, as scikit-learn has it
SHIFTS = (
    0.0,
    -0.25,
    -0.5,
    -0.75,
    -1.0,
)  # of the intercept: causes of new kinds are named less often than those of kinds that taught something
WEIGHT = 100.0  # of all findings of a file of a set together


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


def learned(sets: Sequence[Cases], penalty: float) -> LogisticRegression:
    """The regression on the findings of all sets, each of which weighs as much."""
    weights = np.concatenate([np.full(len(own.hit), WEIGHT / len(own.hit)) for own in sets])
    model = LogisticRegression(C=penalty, max_iter=3000)
    return model.fit(
        np.concatenate([own.traits for own in sets]), np.concatenate([own.hit for own in sets]), sample_weight=weights
    )


def calibration_error(p: np.ndarray, hit: np.ndarray) -> float:
    """Expected calibration error over bins of equal numbers."""
    bins = np.array_split(np.argsort(p, kind="stable"), min(BINS, len(p)))
    return float(sum(len(own) * abs(p[own].mean() - hit[own].mean()) for own in bins) / len(p))


def by_chance(p: np.ndarray) -> float:
    """The calibration error that these probabilities have on average if they are right."""
    rng = np.random.default_rng(0)
    return float(np.mean([calibration_error(p, rng.random(len(p)) < p) for _ in range(500)]))


def show(title: str, p: np.ndarray, hit: np.ndarray) -> None:
    """The calibration error, and how often the cause was named where it was said to be how probable."""
    if not len(hit):
        return
    bins = np.array_split(np.argsort(p, kind="stable"), min(BINS, len(p)))
    print(
        f"{title}: {len(p)} findings, named {hit.mean():.2f}, expected calibration error {calibration_error(p, hit):.3f} "
        f"(by chance {by_chance(p):.3f})"
    )
    for own in bins:
        print(f"  said {p[own].mean():.2f}  named {hit[own].mean():.2f}  of {len(own)}")


def said(model: LogisticRegression, traits: np.ndarray, shift: float) -> np.ndarray:
    """Probabilities of findings, with the intercept moved by `shift`."""
    return expit(model.decision_function(traits) + shift)


def left_out(
    sets: Mapping[str, Sequence[Cases]], counted: Mapping[str, Cases], penalty: float, shift: float
) -> dict[str, np.ndarray]:
    """The probabilities of each counted set's findings, learned from the other sets."""
    probabilities = {}
    for name, own in counted.items():
        model = learned([cases for other, parts in sets.items() if other != name for cases in parts], penalty)
        probabilities[name] = said(model, own.traits, shift)
    return probabilities


def chosen(sets: Mapping[str, Sequence[Cases]], counted: Mapping[str, Cases]) -> tuple[float, float]:
    """The penalty and the shift of the least log loss over sets that were left out; prints the table."""
    losses = {}
    for penalty, shift in itertools.product(PENALTIES, SHIFTS):
        p = left_out(sets, counted, penalty, shift)
        losses[penalty, shift] = float(
            np.mean([-np.log(np.where(own.hit, p[name], 1 - p[name])).mean() for name, own in counted.items()])
        )
        first = {name: own.place == 0 for name, own in counted.items()}
        text = ", ".join(
            f"{name} {calibration_error(p[name][first[name]], own.hit[first[name]]):.2f} "
            f"(said {p[name][first[name]].mean():.2f}, named {own.hit[first[name]].mean():.2f})"
            for name, own in counted.items()
        )
        print(
            f"C = {penalty:g}, shift {shift:g}: log loss {losses[penalty, shift]:.3f}; error of the first finding: {text}"
        )
    return min(losses, key=lambda pair: losses[pair])


def surer_first(p: np.ndarray, hit: np.ndarray) -> float:
    """By how many log odds findings with these probabilities name the cause more often, with a normal prior of deviation 1."""

    def loss(shift: float) -> float:
        own = expit(logit(p) + shift)
        return float(-np.log(np.where(hit, own, 1 - own)).sum() + shift**2 / 2)

    return float(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x)


def first_alone(sets: Mapping[str, Cases], counted: Sequence[Path], write: bool) -> None:
    """Learn how much surer the first finding is from all sets, count it on others, and write it into the table where asked."""
    firsts = [(likely.probabilities(own.traits), own) for own in sets.values()]
    p = np.concatenate([np.array(given)[own.place == 0] for given, own in firsts])
    shift = surer_first(p, np.concatenate([own.hit[own.place == 0] for _, own in firsts]))
    print(f"the first finding: {shift:+.2f} log odds, from {len(p)}")
    if counted:
        other = cases_of(list(counted))
        first = other.place == 0
        plain = np.array(likely.probabilities(other.traits))[first]
        show("first findings of other kinds, as they were", plain, other.hit[first])
        show("first findings of other kinds", expit(logit(plain) + shift), other.hit[first])
    if write:
        likely.TABLE.write_text(json.dumps(likely.table() | {"first": round(shift, 4)}) + "\n", encoding="utf-8")


def named_files(texts: Sequence[str]) -> dict[str, Cases]:
    """The findings of NAME=FILE[,FILE ...] by name."""
    pairs = (text.split("=", 1) for text in texts)
    return {name: cases_of([Path(path) for path in files.split(",")]) for name, files in pairs}


def main() -> None:
    """Choose the penalty by sets that are left out, count, and write the table where asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("sets", nargs="+")
    arguments.add_argument("--first", nargs="*", default=[])
    arguments.add_argument("--count", type=Path, nargs="*", default=[])
    arguments.add_argument("--write", action="store_true")
    arguments.add_argument("--first-alone", action="store_true")
    given = arguments.parse_args()
    if given.first_alone:
        first_alone(named_files(given.sets), given.count, given.write)
        return
    now, first = named_files(given.sets), named_files(given.first)
    sets = {name: [own, *([first[name]] if name in first else [])] for name, own in now.items()}
    counted = first or now
    penalty, shift = chosen(sets, counted)
    print(f"C = {penalty:g}, shift {shift:g}")
    p = left_out(sets, counted, penalty, shift)
    for name, own in counted.items():
        show(f"{name}, left out, first findings", p[name][own.place == 0], own.hit[own.place == 0])
    place, hit = (np.concatenate([getattr(own, field) for own in counted.values()]) for field in ("place", "hit"))
    every = np.concatenate(list(p.values()))
    show("all sets, each left out, first findings", every[place == 0], hit[place == 0])
    show("all sets, each left out, all findings", every, hit)
    model = learned([cases for parts in sets.values() for cases in parts], penalty)
    if given.count:
        other = cases_of(given.count)
        p_other = said(model, other.traits, shift)
        show("first findings of other kinds", p_other[other.place == 0], other.hit[other.place == 0])
        show("all findings of other kinds", p_other, other.hit)
    if given.write:
        weights = dict(zip(likely.TRAITS, np.round(model.coef_[0], 4).tolist(), strict=True))
        table = {
            "faults": len({kind for parts in sets.values() for cases in parts for kind in cases.kind}),
            "intercept": round(float(model.intercept_[0]) + shift, 4),
            "weights": list(weights.values()),
            "first": round(surer_first(every[place == 0], hit[place == 0]), 4),
        }
        likely.TABLE.write_text(json.dumps(table) + "\n", encoding="utf-8")
        print(weights)


if __name__ == "__main__":
    main()
