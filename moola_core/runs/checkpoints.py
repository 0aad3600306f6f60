"""Pre-trained encoders on disk: those of runs, and files that lie in data and artifacts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moola_core import weight_files
from moola_core.errors import CheckpointError, SpecError
from moola_core.features.catalog import names
from moola_core.runs import source_fits
from moola_core.runs.record import FIT, RUN_ID, Record
from moola_core.runs.store import Store
from moola_core.specs import Finetune, Model, build, full_name, settings

SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """`reference` is what a run starts from: a run's id, or a file's path; `run` is None for a file."""

    reference: str
    run: Record | None


def path_of(run_id: str, root: str | Path) -> Path:
    """Where a pre-training run keeps its best weights."""
    return Path(root) / "runs" / run_id / "checkpoints" / "best.safetensors"


def resolve(reference: str, root: str | Path) -> Path:
    """The file that a run's id, RUN/REPEAT-FOLD or a path stands for. Raises CheckpointError when there is none."""
    if FIT.fullmatch(reference):
        return source_fits.weights_of(reference, root)
    if source_fits.is_fine_tuning(reference, root):
        raise CheckpointError(
            f"{reference} is a fine-tuning run, and each of its fits has an encoder of its own.",
            where="transfer.checkpoint",
            hint=f"Name a fit ({reference}/000-00), or give the run as --checkpoint of `moola finetune`, which takes all fits in their order.",
        )
    path = path_of(reference, root) if RUN_ID.fullmatch(reference) else Path(reference)
    if not path.is_file():
        raise CheckpointError(
            f"no checkpoint {reference}.",
            where="transfer.checkpoint",
            hint="Give the id of a finished pre-training run (`moola runs`), RUN/REPEAT-FOLD for a fit, or a file.",
        )
    return path


def description_of(reference: str, root: str | Path, which: str = "") -> weight_files.Description:
    """What a checkpoint says of itself.

    Parameters
    ----------
    reference : str
        A pre-training run's id, RUN/REPEAT-FOLD or a file's path.
    root : str or Path
        The store.
    which : str, optional
        As ``transfer.encoder_name``.

    Raises
    ------
    CheckpointError
        When there is none, and as of `weight_files.describe`.
    """
    path = resolve(reference, root)
    description = path.with_suffix(".json")
    stamps = tuple((one.stat().st_mtime_ns, one.stat().st_size) for one in (path, description) if one.is_file())
    return _described(str(path), which, stamps)


@functools.lru_cache(8)
def _described(path: str, which: str, _stamps: tuple[tuple[int, int], ...]) -> weight_files.Description:
    return weight_files.describe(path, which, source_fits.description_in(Path(path)))


def start_from(
    reference: str, schedule: str, root: str | Path, state: bool = False, which: str = "", trusted: str = ""
) -> dict[str, Any]:
    """The settings of a fine-tuning run that starts from an encoder.

    Parameters
    ----------
    reference : str
        A run's id, RUN/REPEAT-FOLD or a file's path. Of a fine-tuning run all fits are taken, each by the fit of the same repeat and fold.
    schedule : str
        How the encoder is fine-tuned, as ``transfer.schedule``.
    root : str or Path
        The store.
    state : bool, default False
        Whether the state of the encoder's features is set too.
    which : str, optional
        As ``transfer.encoder_name``.
    trusted : str, optional
        A class of the caller's own, which may be imported although a file names it.

    Returns
    -------
    dict of str to Any
        Dotted names to values, for `specs.change`.

    Raises
    ------
    CheckpointError
        When there is no such run or file, or its encoder cannot be used.
    """
    fits = source_fits.all_of(reference, root) if source_fits.is_fine_tuning(reference, root) else {}
    reference = fits.get("transfer.checkpoint", reference)
    described = description_of(reference, root, which)
    is_run = bool(RUN_ID.fullmatch(reference) or FIT.fullmatch(reference))
    kept = reference if is_run else str(resolve(reference, root).resolve())
    if ":" in described.encoder.kind and not is_run and trusted != described.encoder.kind:
        raise CheckpointError(
            f"its encoder is the class {described.encoder.kind}, and no module is imported because a file names it.",
            where=reference,
            hint=f"Give --set model.encoder={described.encoder.kind} if you trust that module.",
        )
    _refuse_size(described)
    shared = described.settings() | fits | {"transfer.checkpoint": kept, "transfer.schedule": schedule}
    shared |= {"transfer.encoder_name": which} if which else {}
    if "price_path" not in shared.get("features.columns", ("price_path",)):
        shared |= {"model.span_statistics": False, "training.mirrored_frac": 0.0}  # both read the price path
    return shared | ({"features.state": described.state} if state and described.state else {})


def with_settings(reference: str, root: str | Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of a study's settings, with those of the encoder that it starts from where they do not give them; unchanged without one."""
    if not reference:
        return dict(changes)
    given = {full_name(name, Finetune) for name in changes if not name.startswith("pretrain.")}
    own = description_of(reference, root, str(changes.get("transfer.encoder_name", ""))).settings()
    return {name: value for name, value in own.items() if name not in given} | dict(changes)


def _refuse_size(described: weight_files.Description) -> None:
    """Raise CheckpointError for an encoder of a size that no run may have."""
    try:
        build(Model, {"layers": described.encoder.layers, "hidden": described.encoder.hidden})
    except SpecError as error:
        raise CheckpointError(
            f"its encoder is of a size that no run may have: {error.what}",
            where=described.path,
            hint="Pre-train one of another size.",
        ) from None


def conflicts(spec: Finetune, root: str | Path) -> dict[str, tuple[Any, Any]]:
    """The settings in which the spec and the encoder that it starts from contradict each other: the spec's value, the file's."""
    if spec.transfer.schedule == "none" or not spec.transfer.checkpoint or not spec.is_network:
        return {}
    described = description_of(spec.transfer.checkpoint, root, spec.transfer.encoder_name)
    given, asked = described.settings(), settings(spec)
    columns = given.pop("features.columns", None)
    apart = {name: (asked[name], value) for name, value in given.items() if asked[name] != value}
    own = names(spec.features.columns)
    if columns is None or not described.columns_stated:
        if len(own) != described.encoder.inputs:
            text = f"{described.encoder.inputs} columns" if columns is None else columns
            apart["features.columns"] = (asked["features.columns"], text)
    elif not _same_columns(columns, own):
        apart["features.columns"] = (asked["features.columns"], columns)
    return apart


def contradiction(spec: Finetune, root: str | Path) -> str:
    """In which settings the spec and the encoder that it starts from contradict each other; empty when they agree."""
    return "; ".join(
        f"{name} is {_plain(asked)} in the settings and {_plain(value)} in the checkpoint"
        for name, (asked, value) in conflicts(spec, root).items()
    )


def refuse_contradiction(spec: Finetune, root: str | Path) -> None:
    """Raise CheckpointError that names both where the spec contradicts the encoder that it starts from."""
    apart = conflicts(spec, root)
    if apart:
        resolving = " ".join(f"--set {name}={_plain(value).replace(', ', ',')}" for name, (_, value) in apart.items())
        raise CheckpointError(
            f"it does not fit the settings: {contradiction(spec, root)}.",
            where=spec.transfer.checkpoint,
            hint=f"Leave {'this setting' if len(apart) == 1 else 'these settings'} out, or give {resolving}.",
        )


def _same_columns(stated: tuple[str, ...], own: tuple[str, ...]) -> bool:
    try:
        return names(stated) == own
    except SpecError:  # columns that this package does not make
        return False


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def fitted_networks(root: str | Path) -> list[Checkpoint]:
    """Finished fine-tuning runs of networks, newest first, from whose fits those of another run can start."""
    records = Store(root).runs("finetune")
    return [Checkpoint(one.run_id, one) for one in records if one.state == "done" and one.model == "network"]


def find(data: str | Path, root: str | Path) -> list[Checkpoint]:
    """Finished pre-training runs, newest first, then files under `data` and next to the runs in the store."""
    runs = [
        Checkpoint(record.run_id, record)
        for record in Store(root).runs("pretrain")
        if path_of(record.run_id, root).is_file()
    ]
    folders = [Path(data), *(path for path in _folders(Path(root)) if path.name not in ("runs", "cache"))]
    files = sorted(
        path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.suffix in SUFFIXES
    )
    loose = sorted(path for path in Path(root).glob("*") if path.suffix in SUFFIXES) if Path(root).is_dir() else []
    return [*runs, *(Checkpoint(str(path), None) for path in (*files, *loose))]


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
