"""What a run is asked to do: a preset, its files, changes and the encoder to start from, made one spec and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from moola_core.errors import DataError, SpecError
from moola_core.presets import network_preset, preset
from moola_core.runs.checkpoints import description_of, refuse_contradiction, start_from
from moola_core.specs import Finetune, Pretrain, change, named
from moola_core.specs.choices import IMPORTED, JOINED
from moola_core.specs.pretrain import refuse_without_fold
from moola_core.weight_files import columns_question

NOT_TRAINED = {
    IMPORTED: ("predictions that were made elsewhere", "moola import-predictions FILE --windows FILE"),
    JOINED: ("runs that are joined", "moola join CLASS_RUN POINTER_RUN"),
}
AnySpec = TypeVar("AnySpec", Finetune, Pretrain)


def finetune_spec(
    name: str, data: Mapping[str, Any], changes: Mapping[str, Any], checkpoint: str, store: str | Path
) -> Finetune:
    """The spec of a cross-validated run.

    Parameters
    ----------
    name : str
        The preset.
    data : mapping of str to value
        Fields of ``moola_core.specs.Data``.
    changes : mapping of str to value
        Changes of the preset's settings, and of those that the checkpoint implies; `estimator` names another model.
    checkpoint : str
        What to start the encoder from, empty for the preset's start or random weights: a pre-training run's id, RUN/REPEAT-FOLD for a fit of a fine-tuning
        run, a file, or a fine-tuning run's id, of which each fit takes the one of its repeat and fold.
    store : str or Path
        Folder of the runs, in which a checkpoint's id is looked up.

    Raises
    ------
    SpecError, DataError, CheckpointError
        When a setting or a file is wrong, or the checkpoint cannot be read, contradicts the settings or does not fit.
    """
    given = named(changes, Finetune)
    checkpoint = checkpoint or str(given.get("transfer.checkpoint") or "")
    if not checkpoint and given.get("estimator", "network") == "network":
        checkpoint = preset(name).start
    needs_network = checkpoint or given.get("estimator") == "network"
    start, inherited = network_preset(name)[0] if needs_network else preset(name), {}
    if checkpoint:
        state = bool(data.get("bars")) and start.keeps_state  # a state that runs on needs bars
        which = str(given.get("transfer.encoder_name", ""))
        inherited = start_from(checkpoint, start.schedule, store, state, which, str(given.get("model.encoder", "")))
        if "features.columns" not in {*inherited, *given}:
            raise columns_question(description_of(checkpoint, store, which))
    own = {name: value for name, value in given.items() if name != "transfer.checkpoint"}  # as `inherited` resolves it
    spec = _with_files(start.finetune(), data, inherited | own)
    _refuse_unread(spec, given)
    refuse_contradiction(spec, store)
    if spec.transfer.checkpoint:
        _check_encoder(spec, Path(store))
    return spec


def pretrain_spec(name: str, data: Mapping[str, Any], changes: Mapping[str, Any]) -> Pretrain:
    """The spec of a pre-training run; parameters and errors as of `finetune_spec`."""
    spec = _with_files(network_preset(name)[0].pretrain(), data, changes)
    refuse_without_fold(spec)
    return spec


def _refuse_unread(spec: Finetune, given: Mapping[str, Any]) -> None:
    """Raise SpecError for what is not trained, and for settings that the model does not read."""
    if spec.estimator in NOT_TRAINED:
        what, instead = NOT_TRAINED[spec.estimator]
        raise SpecError(f"{what} are not trained.", where=f"estimator={spec.estimator}", hint=f"Use `{instead}`.")
    idle = [f"{name}={value}" for name, value in given.items() if not spec.reads(name)]
    if idle:
        raise SpecError(
            f"{', '.join(idle)} has no effect: the model {spec.estimator} does not read it.",
            where="--set",
            hint="Leave it out, or train a network with --model network.",
        )


def _with_files(start: AnySpec, data: Mapping[str, Any], changes: Mapping[str, Any]) -> AnySpec:
    values = start.model_dump()
    values["data"] |= data
    spec = change(type(start).model_validate(values), dict(changes))
    for path in filter(None, (spec.data.windows, spec.data.bars)):
        if not Path(path).is_file():
            raise DataError("no such file.", where=path, hint="Check the path.")
    return spec


def _check_encoder(spec: Finetune, store: Path) -> None:
    """Raise CheckpointError when the encoder to start from cannot be read or does not fit, before there is a run."""
    from moola_core.features.catalog import names
    from moola_core.launch.worker.labelled import check_fit, encoder_of

    start = encoder_of(spec, store)
    if start is not None:
        check_fit(start, spec, names(spec.features.columns))
