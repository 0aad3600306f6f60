"""What a run found out about its data and its fits: the `counts` of its record, each with a name and a type.

Every fact is optional, since each kind of run has its own. A fact that a run does not have is None, or empty, and is not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from moola_core.errors import RunError

T = TypeVar("T")


@dataclass(frozen=True)
class KeptEngine:
    """How the fits of a run were computed.

    Attributes
    ----------
    device : str
        The name of the device that the settings are for.
    settings : mapping
        The fields of `host.engine.Engine` by name.
    """

    device: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class TakenOver:
    """The fits that a run did not make itself.

    Attributes
    ----------
    source : str
        The id of the run that made them; called ``from`` where it is stored.
    fits : int
        How many there are.
    """

    source: Annotated[str, Field(alias="from")]
    fits: int


@dataclass(frozen=True)
class ReadLabels:
    """How the fits of a span model read the labelled expansions, an entry for each fit.

    Attributes
    ----------
    scatter_bars : tuple of float
        How far labelled ends scatter about the true ones, in bars.
    misplaced_frac : tuple of float
        The share of the expansions that lies elsewhere.
    """

    scatter_bars: tuple[float, ...]
    misplaced_frac: tuple[float, ...]


@dataclass(frozen=True)
class Fitting:
    """What later estimates of time rest on.

    Attributes
    ----------
    seconds : float
        Of the fits or epochs that the run made itself, from the first one's start on.
    fits : int
        How many fits, or epochs of a pre-training, these were.
    stretch : float
        How many times as long they took because other work kept the host busy (`host.busy`).
    """

    seconds: float
    fits: int
    stretch: float = 1.0


@dataclass(frozen=True)
class PeakMemory:
    """The most memory that a run held, in MB.

    Attributes
    ----------
    low_mb : float
        That of its largest process.
    high_mb : float
        That of its processes together, with what they share counted for each.
    """

    low_mb: float
    high_mb: float


@dataclass(frozen=True)
class Doing:
    """What an investigation does at the moment.

    Attributes
    ----------
    question, why : str
        The title of the question, and why it is asked now.
    since : str
        ISO 8601 in UTC.
    """

    question: str
    why: str
    since: str = ""


@dataclass(frozen=True)
class Prepared:
    """What an investigation decided before its first question, so that a resumed one asks the same.

    Attributes
    ----------
    network : str
        The preset of the network that it asks about; empty for the one of its settings.
    labelled : str
        The `sampling.labelled` of its pre-trainings; empty where there is none, or where the settings say it.
    """

    network: str
    labelled: str


@dataclass(frozen=True)
class WindowFacts:
    """The labelled windows of a cross-validated run. A diagnostic of windows has `windows` alone, a pre-training `window_bars` and `features`.

    Attributes
    ----------
    windows : int
        How many labelled windows take part.
    left_out : int
        How many do not, because of their grade.
    not_predicted : int
        Windows that take part and that imported predictions do not name.
    window_bars : int
        The length of a window, in bars.
    features : tuple of str
        The features that the model reads, in their order; empty for imported predictions.
    labels : mapping of str to int
        How many windows each class has.
    """

    windows: int | None = None
    left_out: int | None = None
    not_predicted: int | None = None
    window_bars: int | None = None
    features: tuple[str, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FitFacts:
    """The fits of a cross-validated run, known when all have ended; only those of networks have parameters and epochs.

    Attributes
    ----------
    trainable_parameters, shared_parameters : int
        How many parameters the first fit trained, and how many of these both tasks train.
    best_epochs, epochs_run : tuple of int
        The selected epoch of each fit, and how many epochs it trained, in the order of repeats and folds.
    fits_at_limit : int
        Fits whose learned weights of the losses ended at their limit.
    sigma_ratios : mapping of int to float
        Of each repeat, σ of the pointer over σ of the class; empty where the weights of the losses are not learned.
    label_noise : ReadLabels
        How span models read the labels.
    f1_macro : float
        Mean macro F1 over the repeats, between 0 and 1; None also where no class was predicted.
    """

    trainable_parameters: int | None = None
    shared_parameters: int | None = None
    best_epochs: tuple[int, ...] = ()
    epochs_run: tuple[int, ...] = ()
    fits_at_limit: int | None = None
    sigma_ratios: Mapping[int, float] = field(default_factory=dict)
    label_noise: ReadLabels | None = None
    f1_macro: float | None = None


@dataclass(frozen=True)
class ComputingFacts:
    """How the fits of a cross-validated run came about: the engine of networks, the encoders, and fits that were taken over or left out.

    Attributes
    ----------
    engine, engine_why : str
        ``"sequential"`` or ``"replicas"``, and why as a sentence.
    engine_settings : KeptEngine
        The settings of the engine, with which a resumed run goes on.
    saw : str
        What pre-training saw of the labelled windows, a key of `specs.pretrain.SAW`; empty from scratch.
    pretraining_seeds : tuple of int
        Of each repeat, the seed of the pre-training that it starts from.
    taken_over : TakenOver
        Fits that another run had made already.
    fitting : Fitting
        How long the fits took; of a pre-training its epochs.
    peak_memory : PeakMemory
        The most memory that it held; of runs with a process of their own.
    pruned : str
        Why a search ended this trial early, as a sentence.
    pruned_after : int
        After how many fits it did.
    """

    engine: str = ""
    engine_why: str = ""
    engine_settings: KeptEngine | None = None
    saw: str = ""
    pretraining_seeds: tuple[int, ...] = ()
    taken_over: TakenOver | None = None
    fitting: Fitting | None = None
    peak_memory: PeakMemory | None = None
    pruned: str = ""
    pruned_after: int | None = None


@dataclass(frozen=True)
class PretrainingFacts:
    """The windows of a pre-training, all as numbers of windows, and what it trained.

    Attributes
    ----------
    in_bars : int
        Windows in the bars at the stride.
    over_gaps, filler, labelled, between : int
        Those left out: across a gap or a roll, with filler, with bars of labelled windows, and between training and validation.
    not_active, not_similar : int
        Those left out by `sampling.keep`.
    train, valid : int
        Those to train on and to validate on.
    parameters : int
        How many parameters the network has.
    best_epoch : int
        The epoch whose weights were kept.
    """

    in_bars: int | None = None
    over_gaps: int | None = None
    filler: int | None = None
    labelled: int | None = None
    between: int | None = None
    not_active: int | None = None
    not_similar: int | None = None
    train: int | None = None
    valid: int | None = None
    parameters: int | None = None
    best_epoch: int | None = None


@dataclass(frozen=True)
class PartFacts:
    """The runs that a study, a search or an investigation is made of, and how far it is.

    Attributes
    ----------
    children : mapping of str to str
        The ids of its runs by what they are for.
    untrained : mapping of str to str
        Of a study, the arms that could not be trained, with the reasons.
    sizes : mapping of str to int
        Of a study, how many windows take part and how many bars are pre-trained on.
    spent_s : float
        Of a search, the seconds used so far, those before an interruption included.
    prepared : Prepared
        Of an investigation, what it decided before its first question.
    doing : Doing
        Of an investigation that goes on, the question that it works on; called ``now`` where it is stored.
    """

    children: Mapping[str, str] = field(default_factory=dict)
    untrained: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    spent_s: float | None = None
    prepared: Prepared | None = None
    doing: Annotated[Doing | None, Field(alias="now")] = None


@dataclass(frozen=True)
class Facts(PartFacts, PretrainingFacts, ComputingFacts, FitFacts, WindowFacts):
    """The facts of a run of any kind, by topic.

    Attributes
    ----------
    doctor : mapping of str to int
        How many findings of each severity the doctor has on a trained run, a study or a comparison; None where it was not asked.
    others : mapping
        What another version of moola stored, and what is not of its fact's type, as it was read; it is written again as it is.
    """

    doctor: Mapping[str, int] | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Facts:
        """The facts of the stored `counts`, whichever version of moola wrote them."""
        known: dict[str, Any] = {"others": {name: value for name, value in values.items() if name not in NAMES}}
        known |= {name: value for name, value in values.items() if value is not None and name in NAMES}
        try:
            return _READER.validate_python(known)
        except ValidationError as error:
            for name in {str(problem["loc"][0]) for problem in error.errors()}:
                known["others"][name] = known.pop(name)
            return _READER.validate_python(known)

    def stored(self) -> dict[str, Any]:
        """The facts as the record keeps them under `counts`."""
        own = _READER.dump_python(self, by_alias=True, exclude_defaults=True, exclude={"others"})
        return {**self.others, **own}

    def numbers(self) -> dict[str, Any]:
        """Those that are one number, by the names under which they are stored."""
        return {
            name: value
            for name, value in self.stored().items()
            if value is not None and not isinstance(value, dict | list | tuple | str)
        }


def needed(fact: T | None, name: str) -> T:
    """A fact that every run of its kind has. Raises RunError where the record has lost it."""
    if fact is None:
        raise RunError(f"its record does not say `{name}`.", hint="Restore its run.json from a copy, or run it again.")
    return fact


_READER = TypeAdapter(Facts)
FIELDS = frozenset(Facts.__dataclass_fields__) - {"others"}
NAMES = FIELDS - {"doing"} | {"now"}  # as they are stored
