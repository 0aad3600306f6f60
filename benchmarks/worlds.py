"""Do studies of the demo worlds decide, and with the right sign?

A case is a demo world and what the encoder is pre-trained to do on its bars; the rest is the preset `quick`. The true difference of an arm
from scratch is measured first: 20 draws of 174 windows to train on, 2,000 others to test on, the same for each arm, from one encoder
pre-trained on other bars of that world. Then studies of 174 windows each, with an encoder of their own, are judged as the app judges them,
and their verdicts are held against the truth.

    python benchmarks/worlds.py [--draws 20] [--studies 3] [--store DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from moola_core import studies
from moola_core.features.catalog import names
from moola_core.features.matrix import window_matrix
from moola_core.launch import worker
from moola_core.market.demo import World, make_demo, write_demo
from moola_core.market.windows import Windows, bar_spans
from moola_core.models.checkpoint import load_pretrained
from moola_core.runs.checkpoints import path_of
from moola_core.runs.store import Store
from moola_core.specs import Study
from moola_core.training.finetune import fit_all
from moola_core.training.folds import Fold
from moola_core.training.inputs import Inputs

TRAIN, TEST, BARS = 174, 2000, 100_000
ARMS = ("from scratch", "frozen", "full")
NOTABLE = 0.05
TRUTH_SEED, FIRST_STUDY_SEED = 1000, 2000
RESULT = Path(__file__).parent / "results" / "worlds.json"


@dataclass(frozen=True)
class Case:
    """A demo world, and what the encoder is pre-trained to do on its bars."""

    world: World
    objective: str

    def __str__(self) -> str:
        return f"{self.world} {self.objective}"


CASES = (
    Case("helpful", "contrastive"),
    Case("helpful", "masked"),
    Case("neutral", "contrastive"),
    Case("harmful", "masked"),
)


@dataclass(frozen=True)
class Given:
    """Where runs are kept, how many draws and studies."""

    store: Store
    draws: int
    studies: int


def transfer_study(folder: Path, case: Case, seed: int) -> Study:
    """The transfer study of a demo market written under the folder, less the arms that are not asked about."""
    files = write_demo(folder / f"{case.world}-{seed}", make_demo(case.world, BARS, TRAIN, seed))
    data = {"windows": str(files["windows"]), "bars": str(files["bars"])}
    spec = studies.study("transfer", "quick", data, {"pretrain.objective.name": case.objective})
    return spec.model_copy(update={"arms": tuple(arm for arm in spec.arms if arm.name in ARMS)})


def inputs_of(windows: Windows, spec: Study) -> Inputs:
    series, first = bar_spans(windows)
    x, columns = window_matrix(windows, spec.base.features), names(spec.base.features.columns)
    return Inputs(x, windows.label, windows.start, windows.end, windows.window_id, series, first, columns)


def truth(given: Given, case: Case) -> dict[str, list[float]]:
    """Macro F1 on the test windows of every arm and draw."""
    spec = transfer_study(given.store.root, case, TRUTH_SEED)
    encoder = given.store.create(spec.pretraining_of("full"))
    worker.run(encoder)
    start = load_pretrained(path_of(encoder.id, given.store.root))
    count = TRAIN * given.draws + TEST
    windows = make_demo(case.world, 330 * count, count, TRUTH_SEED + 1).windows.trainable()[0]
    inputs = inputs_of(windows, spec)
    order = np.random.default_rng(0).permutation(len(windows))
    test, folds = np.sort(order[:TEST]), []
    for draw in range(given.draws):
        rows = order[TEST + draw * TRAIN : TEST + (draw + 1) * TRAIN]
        train, inner = train_test_split(
            rows, test_size=0.2, stratify=windows.label[rows].astype(str), random_state=draw
        )
        folds.append(Fold(draw, 0, np.sort(train), np.sort(inner), test, rows[:0]))
    found = {}
    for arm in ARMS:
        own = spec.spec_of(arm, encoder.id)
        fits = fit_all(own, inputs, folds, lambda event: None, starts=() if arm == ARMS[0] else (start,))
        score = {fit.repeat: score_of(fit.probabilities, inputs, test) for fit in fits}
        found[arm] = [score[draw] for draw in range(given.draws)]
    return found


def score_of(probabilities: Any, inputs: Inputs, test: np.ndarray) -> float:
    answer = np.array(inputs.classes)[probabilities.argmax(1)]
    return float(f1_score(inputs.label[test].astype(str), answer, average="macro"))


def verdicts(given: Given, case: Case, seed: int) -> dict[str, dict[str, Any]]:
    """The macro F1 verdicts of one study by arm."""
    run = given.store.create(transfer_study(given.store.root, case, seed), name=f"{case} {seed}")
    worker.run(run)
    return {row["arm"]: row for row in run.result("comparison")["verdicts"] if row["metric"] == "f1_macro"}


def measure(given: Given, case: Case) -> dict[str, dict[str, float]]:
    """The mean difference of each arm from scratch over the draws, and its standard error; printed."""
    scores = truth(given, case)
    base = np.array(scores[ARMS[0]])
    gains = {arm: np.array(scores[arm]) - base for arm in ARMS[1:]}
    found = {
        arm: {"mean": float(gain.mean()), "error": float(gain.std(ddof=1) / np.sqrt(len(gain)))}
        for arm, gain in gains.items()
    }
    told = ", ".join(f"{arm} {row['mean']:+.3f} ± {row['error']:.3f}" for arm, row in found.items())
    print(f"{case}: from scratch {base.mean():.3f}; {told}", flush=True)
    return found


def judged(given: Given, case: Case, number: int, truths: dict[str, dict[str, float]]) -> list[dict]:
    """The verdicts of one study beside the truth; printed."""
    rows = []
    for arm, row in verdicts(given, case, FIRST_STUDY_SEED + number).items():
        true, verdict = truths[arm]["mean"], row["verdict"]
        wrong = verdict in ("helps", "hurts") and (verdict == "helps") != (true > 0)
        told = {key: row[key] for key in ("delta", "low", "high", "verdict")}
        rows.append({"case": str(case), "study": number, "arm": arm, "truth": true, **told, "wrong_sign": wrong})
        interval = f"{row['delta']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        print(f"{case} {number} {arm}: {verdict} {interval}, true {true:+.3f}", flush=True)
    return rows


def counted(rows: list[dict]) -> dict[str, int]:
    """What is held to a limit: of the arms that differ by NOTABLE at least half decided; no study with a wrong sign."""
    notable = [row for row in rows if abs(row["truth"]) >= NOTABLE]
    return {
        "notable_up": sum(row["truth"] > 0 for row in notable),
        "notable_down": sum(row["truth"] < 0 for row in notable),
        "decided": sum(row["verdict"] in ("helps", "hurts") for row in notable),
        "studies": len({(row["case"], row["study"]) for row in rows}),
        "studies_with_a_wrong_sign": len({(row["case"], row["study"]) for row in rows if row["wrong_sign"]}),
    }


def main() -> None:
    """Print a line a case, arm and study, and write them with host and counts."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--draws", type=int, default=20)
    arguments.add_argument("--studies", type=int, default=3, help="studies of each case")
    arguments.add_argument("--store", help="keep the runs here")
    asked = arguments.parse_args()
    given = Given(Store(asked.store or tempfile.mkdtemp(prefix="moola-worlds-")), asked.draws, asked.studies)
    truths = {case: measure(given, case) for case in CASES}
    rows = [
        row for case in CASES for number in range(asked.studies) for row in judged(given, case, number, truths[case])
    ]
    counts = counted(rows)
    print(counts)
    found = {
        "host": {"python": platform.python_version(), "cores": os.cpu_count()},
        "truth": {str(case): gains for case, gains in truths.items()},
        "rows": rows,
        "counts": counts,
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
