"""Fits of a fine-tuning run as the encoders that the fits of another run start from: RUN/REPEAT-FOLD."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moola_core.errors import CheckpointError, RunError
from moola_core.features.catalog import names
from moola_core.runs.record import FIT, RUN_ID
from moola_core.runs.store import Run, Store

WHERE = "transfer.checkpoint"
WEIGHTS = "weights.safetensors"
# With these as they were, each fit tests what the fit that it starts from has not seen.
OF_THE_FOLDS = (
    "training.folds",
    "training.repeats",
    "training.seed",
    "training.validation_size",
    "training.embargo_bars",
)


def is_fine_tuning(reference: str, root: str | Path) -> bool:
    """Whether the reference is the id of a fine-tuning run in the store at `root`."""
    try:
        return bool(RUN_ID.fullmatch(reference)) and Store(root).open(reference).record.kind == "finetune"
    except RunError:
        return False


def source_of(reference: str, root: str | Path) -> tuple[Run, tuple[int, int]]:
    """The run and the repeat and fold that RUN/REPEAT-FOLD names. Raises CheckpointError for a run that is gone or has no encoder."""
    match = FIT.fullmatch(reference)
    assert match is not None, "only references to fits are given"
    return _network(match[1], root), (int(match[2]), int(match[3]))


def weights_of(reference: str, root: str | Path) -> Path:
    """The weights of the fit that RUN/REPEAT-FOLD names. Raises CheckpointError where there are none."""
    run, (repeat, fold) = source_of(reference, root)
    fits = run.replicates()
    path = fits[repeat, fold] / WEIGHTS if (repeat, fold) in fits else None
    if path is None or not path.is_file():
        training = run.spec.training
        raise CheckpointError(
            f"the run {run.id} has no fit of repeat {repeat} and fold {fold}; both count from 0, and it has {_counted(training.repeats, 'repeat')} "
            f"of {training.folds} folds, of which {_counted(len(fits), 'fit')} {'is' if len(fits) == 1 else 'are'} there.",
            where=WHERE,
            hint="Name one of its fits, or ask for no more repeats and folds than it has.",
        )
    return path


def fits_of(run: Run) -> list[str]:
    """RUN/REPEAT-FOLD of every fit that the run is to have, in the order in which fits start from them."""
    training = run.spec.training
    pairs = [(repeat, fold) for repeat in range(training.repeats) for fold in range(training.folds)]
    return [f"{run.id}/{repeat:03d}-{fold:02d}" for repeat, fold in pairs]


def all_of(run_id: str, root: str | Path) -> dict[str, Any]:
    """The settings of a run of which each fit starts from the fit of the same repeat and fold of a finished one, and tests the same windows.

    Raises CheckpointError where that run is not finished, is no network or lacks a fit.
    """
    run = _network(run_id, root)
    record, training = run.record, run.spec.training
    if record.state != "done":
        raise CheckpointError(
            f"the run {run_id} is {record.state}, so that not all of its fits are there.",
            where=WHERE,
            hint="Wait until it is done, or resume it.",
        )
    fits = fits_of(run)
    for fit in fits:
        weights_of(fit, root)
    own = {name: getattr(training, name.partition(".")[2]) for name in OF_THE_FOLDS}
    starts = {"transfer.checkpoint": fits[0], "transfer.more_checkpoints": tuple(fits[1:])}
    return own | starts | {"transfer.fold_checkpoints": training.folds}


def description_in(path: Path) -> dict[str, Any]:
    """What the weights of a fit do not say of themselves: the spec, the features and the length of the windows; empty for any other file."""
    if path.name != WEIGHTS or path.parent.parent.name != "replicates":
        return {}
    run = Run(path.parents[2])
    spec = run.spec
    return {
        "spec": spec.model_dump(mode="json"),
        "features": list(names(spec.features.columns)),
        "window_bars": run.record.facts.window_bars,
    }


def _network(run_id: str, root: str | Path) -> Run:
    try:
        run = Store(root).open(run_id)
        spec = run.spec
    except RunError as error:
        raise CheckpointError(
            f"the run {run_id}, from whose fits to start, cannot be opened: {error.what}",
            where=WHERE,
            hint="Bring it back from a pack or a mirror, or start from another run.",
        ) from None
    if spec.kind != "finetune" or not spec.is_network:
        model = f" of the model {spec.estimator}" if spec.kind == "finetune" else ""
        raise CheckpointError(
            f"the run {run_id} is a {spec.kind} run{model}, whose fits have no encoder.",
            where=WHERE,
            hint="Give a fine-tuning run of a network, or a pre-training run by its id alone.",
        )
    return run


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
