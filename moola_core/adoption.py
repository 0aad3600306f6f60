"""Settings of a finished run kept as a preset of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moola_core.arguments import a_kind
from moola_core.errors import RunError, SpecError
from moola_core.market.folder import presets_folder
from moola_core.presets import MOST_LETTERS, may_set, own_preset, refuse_name
from moola_core.runs import codec, source_fits
from moola_core.runs.files import locked, make_folder, write_text
from moola_core.runs.record import FIT, RUN_ID, run_of
from moola_core.runs.store import Run, Store
from moola_core.specs import Finetune, Pretrain, settings_diff
from moola_core.specs.choices import IMPORTED, JOINED

SEED = "training.seed"  # kept whatever it is: with it the folds are those of the run
NO_SETTINGS = {IMPORTED: "its predictions were imported", JOINED: "it joins two other runs"}


def adopt(run: Run, name: str, summary: str = "") -> Path:
    """Keep the settings of a finished run as a preset of your own.

    It is written to ``presets/NAME.json`` in the data folder (``MOOLA_DATA``, or ``data``) and works wherever a preset does. Files are
    left out; the seed is kept, so that the folds of the same windows are those of the run. Where its fits started from those of another
    run, that run is kept as the start.

    Parameters
    ----------
    run : Run
        A cross-validated run that is done.
    name : str
        What to call the preset: letters, digits, - and _.
    summary : str, optional
        A sentence that says what it is for.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SpecError
        For a name that a preset cannot have or that is taken.
    RunError
        When the run is not done, or has no settings of its own.
    StoreError
        When the file cannot be written.
    """
    a_kind(run, Run, "run", "Give a run; Run.open(run_id) opens one.")
    a_kind(name, str, "name", 'Give a name, such as "mine".')
    path = presets_folder() / f"{name}.json"
    refuse_name(name, "preset")
    record, spec = run.record, run.spec
    if record.kind != "finetune" or record.state != "done":
        raise RunError(
            f"is a {record.kind} run that is {record.state}.",
            where=f"run {run.id}",
            hint="Keep the settings of a cross-validated run that is done.",
        )
    if spec.estimator in NO_SETTINGS:
        raise RunError(
            f"has no settings to keep: {NO_SETTINGS[spec.estimator]}.",
            where=f"run {run.id}",
            hint="Keep the settings of a run that was trained here.",
        )
    values = values_of(run, spec, summary or _default_summary(record.name, record.created))
    _refuse_unusable(run, path, values)
    make_folder(path.parent)
    with locked(path.parent):
        if path.exists():
            raise SpecError(
                f"there is a preset {name} already.", where=str(path), hint="Choose another name, or delete the file."
            )
        write_text(path, codec.dumps(values, indent=2) + "\n")
    return path


def _refuse_unusable(run: Run, path: Path, values: dict[str, Any]) -> None:
    """Raise an error for what could not be read again, such as settings that need the files of one data set."""
    if len(values["summary"]) > MOST_LETTERS:
        raise SpecError(
            "the summary is not a short text.",
            where="preset",
            hint=f"Give a sentence of at most {MOST_LETTERS} letters.",
        )
    try:
        own_preset(path, values)
    except SpecError as error:
        raise RunError(
            f"its settings cannot be a preset: {error.what}",
            where=f"run {run.id}",
            hint="Start later runs with --set for such a setting.",
        ) from None


def values_of(run: Run, spec: Finetune, summary: str) -> dict[str, Any]:
    """What the file of a preset holds: the settings that differ from the defaults, and how its encoder was pre-trained."""
    differing = {name: value for name, (value, _) in settings_diff(spec, Finetune()).items()}
    settings = {
        name: value
        for name, value in ({SEED: spec.training.seed} | differing).items()
        if name not in ("kind", "preset") and may_set(name) and (name == "estimator" or spec.reads(name))
    }
    values: dict[str, Any] = {"summary": summary, "settings": settings, "pretraining": _pretraining(run, spec)}
    if spec.transfer.schedule != "none":
        values["schedule"] = spec.transfer.schedule
    start = _start_of(run, spec)
    return values | ({"start": start} if start else {}) | {"from_run": run.id}


def _start_of(run: Run, spec: Finetune) -> str:
    """The run of which each fit started from the fit of the same repeat and fold, or RUN/REPEAT-FOLD where all started from one fit."""
    first = spec.transfer.checkpoint
    if not FIT.fullmatch(first) or not spec.transfer.more_checkpoints:
        return first if FIT.fullmatch(first) else ""
    source = run_of(first)
    try:
        whole = source_fits.fits_of(Store(run.store_root).open(source))
    except RunError:  # deleted since: as those of pre-training, the settings remain
        return ""
    return source if whole == [first, *spec.transfer.more_checkpoints] else ""


def _pretraining(run: Run, spec: Finetune) -> dict[str, Any]:
    """The settings of the run that made the encoder, but for those that it has in common with the network; none from elsewhere."""
    if not RUN_ID.fullmatch(spec.transfer.checkpoint):
        return {}
    try:
        made = Store(run.store_root).open(spec.transfer.checkpoint).spec
    except RunError:  # deleted since: the settings of the network remain
        return {}
    differing = settings_diff(made, Pretrain()) if isinstance(made, Pretrain) else {}
    return {
        name: value
        for name, (value, _) in differing.items()
        if name not in ("kind", "preset") and not name.startswith(("model.", "features.")) and may_set(name)
    }


def _default_summary(name: str, created: str) -> str:
    called = f" {name}" if name else ""
    return f"The settings of the run{called} of {created[:16].replace('T', ' ')} UTC."[:MOST_LETTERS]
