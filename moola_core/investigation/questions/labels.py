"""What more labels would buy, and which windows to label next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd

from moola_core.diagnostics.results.interval import exactly
from moola_core.investigation import class_first
from moola_core.investigation.candidates import recommended
from moola_core.investigation.known import UNDECIDED, Answer, Known, comparison_of
from moola_core.investigation.question import COMPARING_S, Question, Work, compared, register, seconds_of_study
from moola_core.runs.predictions import PredictionTable
from moola_core.runs.store import Run
from moola_core.specs import Arm, Data, Predict
from moola_core.studies import SHARES

CURVE, UNLABELLED = "labels study", "unlabelled windows"
PAYS = 0.02  # macro F1 that twice the labels would add
ASKED, LISTED = 300, 10
FIT_WINDOW_S = 0.002


@register
class MoreLabels(Question):
    id = "labels"
    title = "What would more labels buy?"
    answers: ClassVar[Mapping[str, float]] = {"pay": 0.5, "flat": 0.5}
    reason = "Nothing is known of it before the curve is drawn."
    changes = "verdict"
    phase = 16
    rounds = (3, 5)  # the band is one over repeats: of fewer there is none

    def needs(self, known: Known) -> bool:
        return "learnable" in known.answers and recommended(known) is not None

    def relevance(self, known: Known) -> float:
        return 0.4  # it changes what to do next, not what to use now

    def work(self, known: Known, number: int) -> Work:
        best = recommended(known)
        assert best is not None
        starts = class_first.starts_in(best.spec)
        afresh = class_first.FROM_RANDOM if starts else {}
        base = known.prepared(best.spec, afresh | {"training.repeats": self.rounds[number]})
        shares = [
            Arm(name=f"{share:.0%} of the labels", changes={"training.train_size": share}) for share in reversed(SHARES)
        ]
        # A fit that starts from another one has its share of the labels from the beginning.
        arms = [class_first.starting(arm, starts, "training.train_size") for arm in shares]
        study = compared(known, "labels", self.title, base, arms)
        return Work({CURVE: study}, seconds_of_study(known, study))

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = runs[CURVE]
        curve = comparison_of(run).label_curve
        if curve is None or len(curve.ahead) < 3:
            return Answer(UNDECIDED, "The curve could not be drawn.", run.id)
        now, twice = curve.ahead[0], curve.ahead[2]
        gain, low, high = twice[1] - now[1], twice[2] - now[1], twice[3] - now[1]
        text = f"Twice the labels are expected to add {gain:+.2f} to macro F1 ({low:+.2f} to {high:+.2f}, if the curve goes on as it does)."
        numbers = {"gain": gain, "low": low, "high": high}
        claims = (exactly("macro F1 that twice the labels add", low if low > PAYS else high, PAYS),)
        if low > PAYS:
            return Answer("pay", text, run.id, claims, numbers=numbers)
        if high < PAYS:
            return Answer("flat", text, run.id, claims, numbers=numbers)
        return Answer(UNDECIDED, text, run.id, more=0.15, numbers=numbers)


@register
class NextWindows(Question):
    id = "next windows"
    title = "Which windows should be labelled next?"
    answers: ClassVar[Mapping[str, float]] = {"these": 0.5, "any": 0.5}
    reason = "Nothing is known of it before the model was asked."
    changes = "verdict"
    rounds = (1,)

    def impossible(self, known: Known) -> str:
        return "" if known.facts.bars else "there are no bars from which windows could be chosen"

    def needs(self, known: Known) -> bool:
        return "labels" in known.answers and recommended(known) is not None

    def relevance(self, known: Known) -> float:
        return 0.5 * (1 - known.chance("labels", "flat"))

    def work(self, known: Known, number: int) -> Work:
        """Ask the recommended model about windows spread over the bars."""
        best = recommended(known)
        assert best is not None
        data = Data(bars=known.spec.data.bars, bars_reading=known.spec.data.bars_reading)
        stride = int(min(10_000, max(1, known.facts.bars // ASKED)))
        fits = max(len(best.run.replicates()), 1)
        seconds = COMPARING_S + FIT_WINDOW_S * fits * min(ASKED, known.facts.bars)
        return Work({UNLABELLED: Predict(run=best.run.id, data=data, stride=stride)}, seconds)

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = runs[UNLABELLED]
        table = run.table("predicted").to_pandas()
        rows = most_uncertain(table, known.facts.window_bars, LISTED)
        if not len(rows):
            return Answer("any", "The model states no probabilities, so any window is as good as another.", run.id)
        times = [str(time)[:16] for time in rows["start_time"]]
        text = f"Of {len(table)} windows spread over the bars, the model is least sure of those that begin at {', '.join(times[:3])} (UTC); {len(times)} are listed."
        return Answer("these", text, run.id, (exactly("windows listed", len(times), 0),), numbers={"windows": times})


def most_uncertain(table: pd.DataFrame, window_bars: int, count: int) -> pd.DataFrame:
    """The rows whose two most probable classes are closest, at least a window apart; none where no probabilities are stated.

    Windows that are unlike the labelled ones come last: what a label of them would teach is not known.
    """
    columns = PredictionTable(table).columns
    if len(columns) < 2:
        return table.iloc[:0]
    top = np.sort(table[columns].to_numpy(float), axis=1)
    odd = table.get("out_of_distribution", pd.Series(False, index=table.index)).to_numpy(bool)
    order = np.lexsort((top[:, -1] - top[:, -2], odd))
    first = table["first_bar"].to_numpy()
    taken: list[int] = []
    for row in order:
        if all(abs(int(first[row]) - int(first[other])) >= window_bars for other in taken):
            taken.append(row)
        if len(taken) == count:
            break
    return table.iloc[taken]


__all__ = ["MoreLabels", "NextWindows", "most_uncertain"]
