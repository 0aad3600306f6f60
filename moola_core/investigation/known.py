"""What an investigation knows at a moment: the data, the answers so far, the runs behind them, and what it believes of the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from moola_core import studies
from moola_core.diagnostics.results import Comparison, Evaluation
from moola_core.diagnostics.results.interval import Claim
from moola_core.presets import preset
from moola_core.runs.codec import restore
from moola_core.runs.store import Run, Store
from moola_core.specs import Finetune, Investigation, change

T = TypeVar("T")
UNDECIDED, FAILED = "undecided", "failed"
SETTLED = "answered"
# A network in a minute or so, where the preferred one would take more of the budget than one question may.
SMALL = "quick"
TASKS = ("f1_macro", "hit_at_3")


@dataclass(frozen=True)
class Facts:
    """What the data is: windows that take part, of each class, those with an expansion; their length; bars of the file, 0 without one; content hashes."""

    windows: int
    classes: dict[str, int]
    expansions: int
    window_bars: int
    bars: int
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a question came to.

    answer: one of the question's, or UNDECIDED or FAILED; outcome: in a sentence; run_id: what it rests on; claims: intervals and thresholds
    of what it judges; more: the probability that another round, with more repeats, settles it; numbers: what other questions and the
    conclusion read.
    """

    answer: str
    outcome: str
    run_id: str
    claims: tuple[Claim, ...] = ()
    more: float = 0.0
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        return self.answer not in (UNDECIDED, FAILED)


@dataclass
class Known:
    """The state of an investigation.

    Attributes
    ----------
    spec : Investigation
        What was asked for.
    facts : Facts
        Of the data.
    store : Store
        Where the runs are.
    runs : dict of str to Run
        Finished child runs by what they are for.
    answers : dict of str to Answer
        The latest answer of each question that was asked.
    rounds : dict of str to int
        How often each was asked.
    beliefs : dict of str to dict of str to float
        Probabilities of each question's answers.
    because : dict of str to list of str
        Why these are no longer those that were stated first.
    network : str
        The preset of the network that the questions on networks are about.
    labelled : str
        What pre-training may see of the labelled windows, where the user does not say: "exclude", or "per_fold" where that leaves too little.
    adopted : dict of str to Any
        Settings that answers gave and that later questions start from: of the network, with `pretrain.` before them of pre-training, and
        with `transfer.` how its encoder is used.
    barred : dict of str to str
        Questions whose runs cannot be made of these settings, and why.
    kept : dict of (str, str) to Any
        What was read of finished runs, which do not change: by what it is and the run's id.
    fitted : dict of str to int
        How many repeats of each kind of fit there are.
    left_s : float
        Seconds of the budget that are left.
    """

    spec: Investigation
    facts: Facts
    store: Store
    runs: dict[str, Run] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    beliefs: dict[str, dict[str, float]] = field(default_factory=dict)
    because: dict[str, list[str]] = field(default_factory=dict)
    network: str = ""
    labelled: str = ""
    adopted: dict[str, Any] = field(default_factory=dict)
    barred: dict[str, str] = field(default_factory=dict)
    kept: dict[tuple[str, str], Any] = field(default_factory=dict)
    fitted: dict[str, int] = field(default_factory=dict)
    left_s: float = math.inf

    @cached_property
    def own(self) -> dict[str, Any]:
        """The user's settings of fine-tuning, by their dotted names; without the repeats, which the rounds decide."""
        own, _ = studies.divided(self.spec.changes)
        return {name: value for name, value in own.items() if name != "training.repeats"}

    @cached_property
    def own_pretraining(self) -> dict[str, Any]:
        """The user's settings of pre-training, by their dotted names with `pretrain.` before them."""
        _, before = studies.divided(self.spec.changes)
        return {f"pretrain.{name}": value for name, value in before.items()}

    @property
    def pretraining(self) -> dict[str, Any]:
        """The settings of pre-training: the user's, with what was adopted."""
        return self.own_pretraining | {
            name: value for name, value in self.adopted.items() if name.startswith("pretrain.")
        }

    @cached_property
    def current(self) -> Finetune:
        """The user's settings on the data, in one repeat and from no encoder."""
        apart = ("transfer.schedule", "transfer.checkpoint")
        own = {name: value for name, value in self.own.items() if name not in apart}
        return self.prepared(preset(self.spec.preset).finetune(), own)

    @property
    def has_network(self) -> bool:
        """Whether the user's settings train a network."""
        return self.current.is_network

    @property
    def adopted_of_network(self) -> dict[str, Any]:
        """What was adopted of the network itself, from whatever weights it starts."""
        apart = ("pretrain.", "transfer.")
        return {name: value for name, value in self.adopted.items() if not name.startswith(apart)}

    @property
    def adopted_transfer(self) -> dict[str, Any]:
        """How the network starts from a pre-trained encoder, where that was adopted."""
        return {name: value for name, value in self.adopted.items() if name.startswith("transfer.")}

    @property
    def first_networks(self) -> Finetune:
        """The settings of the network before anything was adopted: the user's, or those of the preset that stands in for them."""
        return self.current if self.has_network else self.prepared(preset(self.network or SMALL).finetune(), {})

    @property
    def networks(self) -> Finetune:
        """The settings of the network that is asked about: the first ones with what was adopted."""
        own = self.adopted_of_network
        return change(self.first_networks, own) if own else self.first_networks

    @property
    def network_settings(self) -> tuple[str, dict[str, Any]]:
        """The preset and the changes with which a study of networks begins."""
        own = self.adopted_of_network
        if self.has_network:
            return self.spec.preset, self.own | own
        shared = {name: value for name, value in self.own.items() if name in ("training.folds", "training.seed")}
        return self.network or SMALL, shared | own

    def prepared(self, base: Finetune, changes: Mapping[str, Any], repeats: int = 1) -> Finetune:
        """Settings on the investigation's data, folds and seed."""
        values = base.model_dump()
        values["data"] |= self.spec.data.model_dump(exclude_defaults=True)
        shared = {"training.repeats": repeats, "training.seed": self.spec.seed}
        shared |= {name: self.own[name] for name in ("training.folds",) if name in self.own}
        return change(Finetune.model_validate(values), shared | dict(changes))

    def answer(self, question: str) -> str:
        """The answer to the question; empty before it was asked."""
        return self.answers[question].answer if question in self.answers else ""

    def number(self, question: str, name: str) -> Any:
        """A number that an answer carries; None where there is none."""
        return self.answers[question].numbers.get(name) if question in self.answers else None

    def once(self, what: str, run: Run, read: Callable[[], T]) -> T:
        """What `read` gives of a finished run, read once."""
        key = (what, run.id)
        if key not in self.kept:
            self.kept[key] = read()
        return self.kept[key]

    def chance(self, question: str, *answers: str) -> float:
        """The probability that the question's answer is one of these."""
        return sum(self.beliefs.get(question, {}).get(answer, 0.0) for answer in answers)

    def network_in_question(self) -> float:
        """The probability that a network is what should be used."""
        return self.chance("network", "yes")


def comparison_of(run: Run) -> Comparison:
    """The comparison that a study left."""
    return restore(Comparison, run.result("comparison"))


def evaluation_of(run: Run) -> Evaluation:
    """What the predictions of a cross-validated run are worth."""
    return restore(Evaluation, run.result("evaluation"))


def mean_of(evaluation: Evaluation, metric: str) -> float | None:
    """A metric with one value, over the repeats; None where it was not measured."""
    spread = evaluation.metrics.get(metric)
    return spread.get("mean") if isinstance(spread, dict) else None
