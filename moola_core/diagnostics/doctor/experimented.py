"""The check of experiments: settings that, set back, restore the score; and models that cannot fit what they are shown."""

from __future__ import annotations

from typing import Any

from moola_core.diagnostics.doctor import conclusions
from moola_core.diagnostics.doctor.check import CRITICAL, ERROR, CannotJudge, Case, Check, fix_spec, register
from moola_core.diagnostics.doctor.proposed import signs_of_code
from moola_core.diagnostics.doctor.transferring import far_before
from moola_core.diagnostics.results import Finding
from moola_core.diagnostics.results.experiments import Experiments
from moola_core.diagnostics.results.interval import Claim, Interval
from moola_core.diagnostics.results.weak_slices import MOST_WINDOWS
from moola_core.metrics import METRICS
from moola_core.specs import Data, Finetune

# What a repair of the data is called; what stands for its own kind begins its title.
EXCHANGED, POINTERS, CUT_ANEW = "classes exchanged in", "pointers", "windows cut anew from the bars at their times"
LEAK = "Look at how windows are divided into folds, at what is fitted before they are, and at what ends training. Until then no score can be believed."
TRAINING = (
    "Look at what data and settings do not hold: changes to the code of training or of the model, versions of libraries, the device. "
    "Launch this preset on the demo data with the version that last did well, and compare."
)


@register
class Experimented(Check):
    """What experiments within a budget show. Reads `experiments`."""

    id, title = "experiments", "What experiments show"
    kinds = ("finetune",)
    # Other settings of the transfer hide what is wrong with the checkpoint; code that is at fault is in every fit.
    after = ("not_as_started", "training_code")
    sampled = True

    def judge(self, case: Case) -> Finding | None:
        if case.planned:
            raise CannotJudge("Experiments are made with a run that is done.")
        result: Experiments | None = case.get("experiments")
        if result is None:
            raise CannotJudge(
                f"No experiments were made. To make them: moola doctor {case.about or 'RUN'} --budget 5m."
            )
        evidence = {"settings": list(result.culprits), "seconds": round(result.seconds, 1), "fitted": len(result.tried)}
        if result.culprits:
            return self._settings(case, result, evidence)
        if result.repair:
            return self._repair(case, result, evidence)
        worse, leaked = conclusions.unsound(result), conclusions.told_at_random(result)
        if worse is not None:
            return self._training(result, worse, evidence)
        if leaked is not None:
            finding = self.finding(CRITICAL, result.conclusion, evidence, LEAK, title="The evaluation leaks")
            return self.resting_on(finding, [Claim("AUROC of labels in random order", leaked, conclusions.CHANCE)])
        heart = conclusions.experiment_at(result, conclusions.HEART)
        if conclusions.forgets(result) and heart is not None and heart.auroc is not None:
            miss = Interval(1 - heart.auroc.value, 1 - heart.auroc.high, 1 - heart.auroc.low)
            advice = "Look at the network and its optimisation before the data: the learning rate, the gradients, the loss of each epoch."
            finding = self.finding(
                ERROR, result.conclusion, evidence, advice, title="It does not learn a few windows by heart"
            )
            return self.resting_on(finding, [Claim("1 − AUROC of windows trained on", miss, 1 - conclusions.BY_HEART)])
        return None

    def causes(self, case: Case) -> tuple[str, ...]:
        """Also a far setting of the pre-training, where settings of the transfer hide it, and signs that say which part of the code is at fault."""
        result: Experiments | None = case.get("experiments")
        if result is None or result.repair:
            return self.after
        if result.culprits:
            of_transfer = all(name.startswith("transfer.") for name in result.culprits)
            return (*self.after, *(far_before(case) if of_transfer else ()))
        return (*self.after, *dict.fromkeys(f"unusual_{one.stage}" for one in signs_of_code(case)))

    def _training(self, result: Experiments, worse: conclusions.Unsound, evidence: dict[str, object]) -> Finding:
        title = METRICS[worse.score.metric].title
        finding = self.finding(ERROR, result.conclusion, evidence, TRAINING, title="Training itself is at fault")
        return self.resting_on(
            finding, [Claim(f"shortfall of {title} on a demo market", conclusions.shortfall(worse.score))]
        )

    def _repair(self, case: Case, result: Experiments, evidence: dict[str, object]) -> Finding:
        tried = conclusions.repair_of(result)
        gain = conclusions.decided_gain(tried)
        evidence |= {"repair": tried.title, "windows": list(tried.mended[:MOST_WINDOWS]), "file": tried.file}
        title, what = "A part of the labels is at fault", "labels"
        if tried.title == CUT_ANEW:
            title, what = "The prices of windows are at fault", "prices"
        elif tried.title.startswith(POINTERS):
            title, what = "The pointers are at fault", "pointers"
        advice = f"Look at the {what} of these windows. Where the mending is right, correct them in your file, or launch the run on the mended copy."
        if tried.title.startswith(EXCHANGED):
            advice += " Whether the classes are exchanged in this part or in all the others the data cannot say."
        fix = _on_copy(case.spec, tried.file)
        finding = self.finding(ERROR, result.conclusion, evidence, advice, fix, title=title)
        return self.resting_on(finding, [Claim(f"gain in {gain.metric}", gain.interval) if gain else None])

    def _settings(self, case: Case, result: Experiments, evidence: dict[str, object]) -> Finding:
        together = conclusions.gain_of(result, result.departures)
        alone = conclusions.gain_of(result, result.culprits)
        claims = [Claim(f"gain in {result.metric}", one.interval) if one else None for one in (together, alone)]
        changes = {name: result.departures[name][1] for name in result.culprits}
        one = len(changes) == 1 and alone is not None and alone.interval.low > 0
        advice = "Launch the run with this set back, and see whether the score returns with all repeats."
        if conclusions.equals(result):
            advice = "Launch the run with all of these set back; then give them their own values again one by one, with all repeats."
        if result.alone:
            evidence |= {"restored_alone": {name: round(share, 2) for name, share in result.alone.items()}}
        title = "A setting is at fault" if one else "Settings are at fault"
        finding = self.finding(ERROR, result.conclusion, evidence, advice, fix_spec(case, changes), title=title)
        return self.resting_on(finding, claims)


def _on_copy(spec: Finetune | None, file: str) -> dict[str, Any] | None:
    """The spec on a mended copy of its labels, as plain values; None without a spec."""
    if spec is None:
        return None
    own = spec.data
    data = Data(windows=file, bars=own.bars, bars_reading=own.bars_reading, exclude_grades=())
    return spec.model_copy(update={"data": data}).model_dump(mode="json")
