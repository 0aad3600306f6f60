"""Does pre-training help, by which objective and schedule, and on which bars?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from moola_core import studies
from moola_core.diagnostics.results import Comparison
from moola_core.investigation import adopting
from moola_core.investigation.adopting import GRADUAL, SCHEDULE
from moola_core.investigation.known import FAILED, UNDECIDED, Answer, Known, comparison_of
from moola_core.investigation.question import Question, Work, register, seconds_of_study
from moola_core.investigation.verdicts import as_claim, in_words, rows_of, settled_by_repeats, smallest, word_of
from moola_core.presets import preset
from moola_core.runs.arms import untrained
from moola_core.runs.checkpoints import with_settings
from moola_core.runs.store import Run
from moola_core.specs import Arm, Finetune, Study, settings

NO_BARS = "there are no bars to pre-train on, and no encoder was given"
SCHEDULES = ("frozen", "gradual", "full")
LABELLED = "pretrain.sampling.labelled"
APART = ("transfer.schedule", "transfer.checkpoint", "estimator")


def schedule_of(known: Known) -> str:
    """The schedule that was adopted, else the one that the user's settings name, else that of the preset."""
    asked = known.adopted.get(SCHEDULE) or known.own.get(SCHEDULE, "")
    return asked if asked in SCHEDULES else preset(known.spec.preset).schedule


def study_of(known: Known, name: str, repeats: int, arms: tuple[str, ...] = ()) -> Study:
    """The named study of the network that is asked about, with these of its arms and the one that all are compared with.

    A single arm that is pre-trained has a placebo of its own schedule.
    """
    start, own = known.network_settings
    changes: dict[str, Any] = {key: value for key, value in own.items() if key not in APART}
    changes |= {"training.repeats": repeats, "training.seed": known.spec.seed}
    changes |= {LABELLED: known.labelled} if known.labelled and known.facts.bars else {}
    changes |= known.pretraining
    data = known.spec.data.model_dump(exclude_defaults=True)
    checkpoint = known.spec.checkpoint if name == "transfer" else ""
    if checkpoint:
        changes |= encoder_settings(known)
    if name == "transfer" and known.spec.order == "phases":
        changes = _unfreezing(known) | changes
    made = studies.study(name, start, data, changes, checkpoint)
    kept = [arm for arm in made.arms if not arm.baseline and arm.name != studies.PLACEBO]
    if name != "transfer":  # their pre-trained arms start as it was adopted
        kept = [_starting(arm, known.adopted_transfer) for arm in kept]
    kept = [arm for arm in kept if not arms or arm.name in (*arms, made.against)]
    if len(arms) == 1 and any(arm.name == studies.PLACEBO for arm in made.arms):
        twin = next(arm for arm in kept if arm.name == arms[0])
        kept.append(twin.model_copy(update={"name": studies.PLACEBO, "pretraining": studies.SHUFFLED}))
    return made.model_copy(update={"arms": tuple(kept), "seed": known.spec.seed})


def without_placebo(study: Study) -> Study:
    """The study less its placebo, which takes as long as what it is compared with."""
    return study.model_copy(update={"arms": tuple(arm for arm in study.arms if arm.name != studies.PLACEBO)})


def encoder_settings(known: Known) -> dict[str, Any]:
    """The settings of the network that the encoder that was given fixes, where the user does not set them."""
    given = with_settings(known.spec.checkpoint, known.store.root, {})
    return {name: value for name, value in given.items() if name not in known.own}


def _unfreezing(known: Known) -> dict[str, Any]:
    """The epochs at which the researcher's plan unfreezes layers, where training lasts that long; a share of the epochs where not."""
    own = {name: value for name, value in settings(Finetune()).items() if name in GRADUAL}
    return own if max(own.values()) <= known.networks.training.epochs else {}


def _starting(arm: Arm, transfer: Mapping[str, Any]) -> Arm:
    return arm if arm.pretraining is None else arm.model_copy(update={"changes": arm.changes | dict(transfer)})


class OfPretraining(Question):
    """A question on pre-training, which needs bars or an encoder."""

    def impossible(self, known: Known) -> str:
        return "" if known.facts.bars or known.spec.checkpoint else NO_BARS


@register
class Pretraining(OfPretraining):
    id = "pretraining"
    title = "Does pre-training help or hurt?"
    answers: ClassVar[Mapping[str, float]] = {"none": 0.55, "hurts": 0.3, "helps": 0.15}
    reason = "A judgement: with few labels it seldom helps a model that works, and a frozen encoder often hurts (docs/LOG.md)."
    changes = "verdict"
    phase = 10

    def work(self, known: Known, number: int) -> Work:
        study = study_of(known, "transfer", self.rounds[number], (schedule_of(known),))
        seconds = seconds_of_study(known, study)
        if seconds > known.left_s:  # the question itself before whether it is more than a better start
            study = without_placebo(study)
            seconds = seconds_of_study(known, study)
        return Work({"pre-training": study}, seconds)

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = runs["pre-training"]
        comparison = comparison_of(run)
        rows, arm = rows_of(comparison, len(self.rounds)), schedule_of(known)
        numbers = {"repeats": comparison.repeats, "schedule": arm, "metric": comparison.deciding}
        if not rows:
            return Answer(UNDECIDED, f"No verdict: {comparison.no_verdict}", run.id, numbers=numbers)
        decides = next((row for row in rows if row.decides), rows[0])
        numbers |= {"delta": decides.delta, "low": decides.low, "high": decides.high, "resolvable": decides.resolvable}
        numbers |= {"labels_needed": decides.labels_needed, "repeats_needed": decides.repeats_needed}
        claims, text = tuple(as_claim(row) for row in rows), "; ".join(in_words(row) for row in rows)
        text += f". {comparison.saw.rstrip('.')}" if known.labelled == "see" else ""
        word = word_of(rows)
        size = f"A difference of {decides.resolvable:.2f} would have been found with 80% power."
        if word in ("helps", "hurts"):
            adopted = adopting.of_transfer(run.spec.spec_of(arm, "encoder")) if word == "helps" else {}
            numbers |= {"adopted": adopted}
            further = _placebo(comparison, arm) + adopting.in_words(adopted)
            return Answer(word, f"It {word} ({arm}): {text}.{further}", run.id, claims, numbers=numbers)
        if word == "equivalent":
            return Answer(
                "none", f"It makes no difference that matters ({arm}): {text}.", run.id, claims, numbers=numbers
            )
        later = self.rounds[min(known.rounds.get(self.id, 0) + 1, len(self.rounds) - 1)]
        more = settled_by_repeats(rows, later)
        return Answer(UNDECIDED, f"Not shown either way ({arm}): {text}. {size}", run.id, claims, more, numbers)


def _placebo(comparison: Comparison, arm: str) -> str:
    """What the arm is next to its placebo."""
    row = next(
        (row for row in comparison.verdicts if row.arm == arm and row.against in comparison.inert and row.decides), None
    )
    if row is None:
        return " Whether it is more than a better start was not asked: there is no placebo."
    shown = {"helps": "better than", "hurts": "worse than", "equivalent": "as good as"}.get(
        row.verdict, "not told from"
    )
    return f" Its encoder is {shown} one that was pre-trained on bars in random order: {in_words(row)}."


class OtherArms(Question):
    """Whether another arm of a named study is better than the settings as they are. study: its name; noun: what the arms are."""

    study = ""
    noun = ""
    answers: ClassVar[Mapping[str, float]] = {"current": 0.85, "another": 0.15}
    reason = "A judgement: of single settings, few matter beyond what this many labels can show."
    rounds = (1, 2, 3)

    def relevance(self, known: Known) -> float:
        return known.network_in_question()

    def arms(self, known: Known) -> tuple[str, ...]:
        """The arms that are compared; all when empty."""
        return ()

    def work(self, known: Known, number: int) -> Work:
        made = study_of(known, self.study, self.rounds[number], self.arms(known))
        return Work({self.id: made}, seconds_of_study(known, made))

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = runs[self.id]
        comparison = comparison_of(run)
        networks = {arm.name for arm in comparison.arms if arm.model == "network"}
        rows = [
            row for row in rows_of(comparison, len(self.rounds)) if row.arm in networks
        ]  # a simple model is no setting of the network
        claims = tuple(as_claim(row) for row in rows)
        better = [row for row in rows if row.verdict == "helps"]
        missing = untrained(run)
        left_out = f" Not trained: {', '.join(missing)}." if missing else ""
        if better:
            best = max(better, key=lambda row: row.delta)
            adopted = adopting.changes_of(run, best.arm)
            text = f"{best.arm} is better than {comparison.against}: {in_words(best)}.{left_out}{adopting.in_words(adopted)}"
            return Answer("another", text, run.id, claims, numbers={"adopted": adopted})
        count = len({row.arm for row in rows})
        text = (
            f"Of {count} other {self.noun} none is shown to be better than {comparison.against}; a difference of {smallest(rows):.2f} would have "
            f"been found.{left_out}"
        )
        if rows and max(row.p_helps for row in rows) < 0.1:
            return Answer("current", text, run.id, claims)
        return Answer(UNDECIDED, text, run.id, claims, settled_by_repeats(rows, 3))


class OtherPretraining(OtherArms, OfPretraining):
    """Another way of pre-training: it matters as far as pre-training does, and where it hurts because another way may not."""

    changes = "verdict"

    def needs(self, known: Known) -> bool:
        return known.answer("pretraining") not in ("", FAILED)

    def relevance(self, known: Known) -> float:
        return max(known.chance("pretraining", "helps"), 0.5 * known.chance("pretraining", "hurts"))


class OfBars(OtherPretraining):
    """Another way to pre-train on the bars, of which a given encoder says nothing."""

    def impossible(self, known: Known) -> str:
        return "" if known.facts.bars else "there are no bars to pre-train on"


@register
class Objectives(OfBars):
    id = study = "objectives"
    title = "Which objective of pre-training serves the labels?"
    noun = "objectives"
    phase = 12


@register
class Schedules(OtherPretraining):
    id, study = "schedules", "transfer"
    title = "Which schedule of transfer is best?"
    noun = "schedules"
    phase = 11


@register
class PretrainingBars(OfBars):
    id = study = "pretraining-data"
    title = "Which bars should pre-training see?"
    noun = "choices of bars"
    phase = 13


def best_network(known: Known) -> str:
    """The preset that stands in for the user's settings where these train no network."""
    return preset(known.spec.preset).network or known.spec.preset
