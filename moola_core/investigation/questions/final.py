"""Are the settings that the answers led to better than the first ones?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from moola_core.investigation.known import UNDECIDED, Answer, Known, comparison_of
from moola_core.investigation.question import Question, Work, register, seconds_of_study
from moola_core.investigation.questions.pretraining import encoder_settings, schedule_of, study_of
from moola_core.investigation.verdicts import as_claim, in_words, rows_of, settled_by_repeats, smallest, word_of
from moola_core.runs.store import Run
from moola_core.specs import Arm, Finetune, Study, change, settings_diff

FIRST, TAKEN = "first settings", "settings taken over"
OF_THE_TEST = ("data.", "training.repeats", "training.folds", "training.seed")


@register
class Final(Question):
    id = "final"
    title = "Are the settings that were taken over better than those that you started from?"
    answers: ClassVar[Mapping[str, float]] = {"better": 0.7, "same": 0.25, "worse": 0.05}
    reason = (
        "A judgement: each change was shown to be better, but as the best of several, and not all of them together."
    )
    changes = "verdict"
    phase = 14
    last = True
    rounds = (1, 2, 3, 5)

    def impossible(self, known: Known) -> str:
        return "" if known.adopted else "no answer changed a setting, so the last settings are the first"

    def relevance(self, known: Known) -> float:
        """As that of the questions whose answers it puts together."""
        return max(known.network_in_question(), known.chance("pretraining", "helps"))

    def work(self, known: Known, number: int) -> Work:
        study = final_study(known, self.title, self.rounds[number])
        return Work({self.id: study}, seconds_of_study(known, study))

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = runs[self.id]
        comparison = comparison_of(run)
        rows = rows_of(comparison, len(self.rounds))
        claims, text = tuple(as_claim(row) for row in rows), "; ".join(in_words(row) for row in rows)
        word = word_of(rows)
        if word == "helps":
            return Answer("better", f"The settings taken over are better than the first: {text}.", run.id, claims)
        if word == "hurts":
            worse = f"The settings taken over are worse than the first, so keep the first: {text}."
            return Answer("worse", worse, run.id, claims)
        if word == "equivalent":
            same = f"Together, the settings taken over make no difference that matters: {text}."
            return Answer("same", same, run.id, claims)
        undecided = f"That the settings taken over are better than the first is not shown: {text}. A difference of {smallest(rows):.2f} would have been found."
        return Answer(UNDECIDED, undecided, run.id, claims, settled_by_repeats(rows, 3))


def final_study(known: Known, question: str, repeats: int) -> Study:
    """The first settings against all that was adopted, pre-training too."""
    own = known.adopted_transfer
    given = encoder_settings(known) if own and known.spec.checkpoint else {}
    base = change(known.networks, given | {"training.repeats": repeats})
    pretrain, taken = None, Arm(name=TAKEN)
    if own:
        of_transfer = study_of(known, "transfer", repeats, (schedule_of(known),))
        arm = next(arm for arm in of_transfer.arms if arm.name == schedule_of(known))
        pretrain, taken = of_transfer.pretrain, arm.model_copy(update={"name": TAKEN, "changes": arm.changes | own})
    control = Arm(name=FIRST, changes=_back(known.first_networks, base))
    return Study(
        name="final",
        question=question,
        base=base,
        pretrain=pretrain,
        arms=(control, taken),
        against=FIRST,
        seed=known.spec.seed,
    )


def _back(first: Finetune, base: Finetune) -> dict[str, Any]:
    """The changes that lead from the settings as they are now to the first ones."""
    apart = settings_diff(first, base)
    return {name: value for name, (value, _) in apart.items() if not name.startswith(OF_THE_TEST)}
