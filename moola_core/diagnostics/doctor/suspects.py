"""Which settings of a run are at fault: those in which it departs from settings that are known to work, narrowed down by experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from moola_core.presets import PRESETS
from moola_core.specs import Faults, Finetune, Pretrain, change, settings_diff

# Presets that train healthy runs; `stones` and `october` are there to repeat what a plan or a run of before did.
SOUND = ("recommended", "network", "quick")
# What divides the windows, names the question, or tells where to compute: without these being equal no scores can be compared.
KEPT = (
    "data.",
    "preset",
    "estimator",
    "join.",
    "model.tasks",
    "training.folds",
    "training.repeats",
    "training.seed",
    "training.embargo_bars",
    "training.device",
    "training.engine",
    "training.processes",
    "faults.",  # planted for tests and demonstrations: a real fault of that kind is a line of code, which no setting takes back
)
RESTORED = 0.5  # of what the reference gains: settings that restore less are not the cause, or not alone
NEARLY_ALL = 0.9  # what restores so much leaves no room for another that restores more
AS_MUCH = 0.1  # of what the reference gains: settings that restore so nearly the same are not told apart
MOST_RIVALS = 6  # that are tried alone next to the one that was found
Departures = dict[str, tuple[Any, Any]]


def reference_of(spec: Finetune) -> Finetune:
    """The run's own preset if it is a sound one of the same model, else `quick` for networks and `recommended` for other models."""
    own = PRESETS[spec.preset] if spec.preset in SOUND else None
    if own is None or own.finetune().estimator != spec.estimator:
        own = PRESETS["quick" if spec.is_network else "recommended"]
    return own.finetune()


def sound_pretraining() -> Pretrain:
    """What a pre-training's settings are set back to."""
    return PRESETS["quick"].pretrain()


def departures(spec: Finetune, sound: Finetune) -> Departures:
    """The settings that differ, {name: (of the run, of the reference)}, but for those that a comparison needs to be equal."""
    differing = settings_diff(spec, sound)
    return {name: pair for name, pair in differing.items() if spec.reads(name) and not name.startswith(KEPT)}


# What decides how training goes.
OF_TRAINING = ("training.", "loss.", "model.", "transfer.", "features.standardise")


def of_training(spec: Finetune) -> dict[str, Any]:
    """Settings of training that are not those of a sound preset, with its values; a planted fault is among them, as it is no line of code."""
    pairs = departures(spec, reference_of(spec))
    planted = {f"faults.{name}": value for name, value in Faults().model_dump().items()}
    own = {f"faults.{name}": value for name, value in spec.faults.model_dump().items()}
    return {name: sound for name, (_, sound) in pairs.items() if name.startswith(OF_TRAINING)} | {
        name: value for name, value in planted.items() if own[name] != value
    }


def suspected_first(names: Iterable[str], named: Sequence[str]) -> list[str]:
    """The settings with those that findings would change first, in the findings' order."""
    return sorted(names, key=lambda name: named.index(name) if name in named else len(named))


def groups_of(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Settings that are set back together: those of the transfer, which name one encoder and its use; each other by itself."""
    names = list(names)
    transfer = tuple(name for name in names if name.startswith("transfer."))
    alone: list[tuple[str, ...]] = [(name,) for name in names if name not in transfer]
    return [transfer, *alone] if transfer else alone


def set_back(spec: Finetune, names: Iterable[str], pairs: Mapping[str, tuple[Any, Any]]) -> Finetune:
    """The spec with these settings as the reference has them."""
    return change(spec, {name: pairs[name][1] for name in names})


def narrowed(
    suspects: Sequence[tuple[str, ...]], restored: Callable[[Sequence[tuple[str, ...]]], float | None]
) -> tuple[list[tuple[str, ...]], float | None]:
    """The fewest suspects that, set back together, restore at least half of what all of them do; and the share that they restore.

    restored: fits with some of them set back and gives that share, None where there is no time for it. Delta debugging (Zeller and
    Hildebrandt 2002) for one cause or a few: the half that restores more, where that is enough, takes the place of the whole; where
    neither half does, quarters are left out in turn, and so on. The first suspect, what the findings name, is tried alone at first; it is taken unless the
    others restore more without it.
    """
    left, share, parts = list(suspects), 1.0, 2
    if len(left) > 2:
        alone = restored(left[:1])
        if alone is None:
            return left, share
        if alone >= RESTORED:
            others = restored(left[1:])
            if others is None or others <= alone:
                return left[:1], alone
            left, share = left[1:], others
    while len(left) > 1:
        size = -(-len(left) // parts)
        chunks = [left[i : i + size] for i in range(0, len(left), size)]
        rests = [[one for one in left if one not in chunk] for chunk in chunks] if parts > 2 else []
        best: tuple[list[tuple[str, ...]], float] | None = None
        for candidate in [*chunks, *rests]:
            own = restored(candidate)
            if own is None:
                return (left, share) if best is None else best
            if own >= RESTORED and (best is None or own > best[1]):
                best = candidate, own
            if best is not None and (parts > 2 or best[1] >= NEARLY_ALL):
                break
        if best is not None:
            (left, share), parts = best, 2
        elif parts >= len(left):
            break
        else:
            parts = min(2 * parts, len(left))
    return left, share


def alone(
    order: Sequence[tuple[str, ...]],
    culprit: tuple[str, ...],
    share: float,
    restored: Callable[[Sequence[tuple[str, ...]]], float | None],
) -> dict[tuple[str, ...], float]:
    """What each suspect restores by itself, the most first: the one that was found, and others as far as there is time.

    Narrowing down stops at the first that restores half; another may restore more, or as much.
    """
    shares = {culprit: share}
    for group in [one for one in order if one != culprit][:MOST_RIVALS]:
        own = restored([group])
        if own is None:
            break
        shares[group] = own
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def as_good(shares: Mapping[tuple[str, ...], float]) -> list[tuple[str, ...]]:
    """The suspects that restore at least half, and nearly as much as the one that restores the most."""
    most = max(shares.values())
    return [group for group, share in shares.items() if share >= max(RESTORED, most - AS_MUCH) or share == most]
