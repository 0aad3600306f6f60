"""Pre-trained encoders on disk: those of runs, and files that lie in data and artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moola_core.errors import CheckpointError
from moola_core.features.catalog import FEATURES, names
from moola_core.runs import weight_files
from moola_core.runs.record import RUN_ID, Record
from moola_core.runs.store import Store
from moola_core.specs import Finetune, settings

SUFFIXES = (".pt", ".pth", ".safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """`reference` is what transfer.checkpoint takes: a run's id, or a file's path; `run` is None for a file."""

    reference: str
    run: Record | None


def path_of(run_id: str, root: str | Path) -> Path:
    """Where a pre-training run keeps its best weights."""
    return Path(root) / "runs" / run_id / "checkpoints" / "best.safetensors"


def resolve(reference: str, root: str | Path) -> Path:
    """The file that a run's id or a path stands for. Raises CheckpointError when there is none."""
    path = path_of(reference, root) if RUN_ID.fullmatch(reference) else Path(reference)
    if not path.is_file():
        raise CheckpointError(
            f"no checkpoint {reference}.",
            where="transfer.checkpoint",
            hint="Give the id of a finished pre-training run (`moola runs`), or a file.",
        )
    return path


def settings_of(reference: str, root: str | Path) -> dict[str, Any]:
    """The settings that a fine-tuning run must share with the checkpoint, as the file says; none where it says nothing.

    A file of ours describes itself. Of any other the tensors tell the size of the encoder; the predecessor's read the 12
    relativity features as they are.
    """
    path = resolve(reference, root)
    try:
        spec = weight_files.description(path)["spec"]
        model, features = spec["model"], spec["features"]
        shared = {f"model.{name}": model[name] for name in ("layers", "hidden", "normalisation") if name in model}
        shared["model.encoder"] = model.get("encoder", "bilstm")  # before there was a choice, all were
        shared |= {"features.standardise": features["standardise"]} if "standardise" in features else {}
        return shared | {"features.columns": tuple(features["columns"])}
    except (KeyError, TypeError):
        return _settings_from_shapes(weight_files.shapes(path))


def state_of(reference: str, root: str | Path) -> str:
    """Whether the features that the encoder was trained on start anew at each window; empty where the file does not say."""
    path = resolve(reference, root)
    try:
        return str(weight_files.description(path)["spec"]["features"]["state"])
    except (KeyError, TypeError):
        # The predecessor computed the features once over all bars, and cut its windows from them.
        return "continuous" if "features.columns" in _settings_from_shapes(weight_files.shapes(path)) else ""


def _settings_from_shapes(shapes: weight_files.Shapes) -> dict[str, Any]:
    own = {
        name.removeprefix("encoder.").removeprefix("lstm."): shape
        for name, shape in shapes.items()
        if name.startswith("encoder.")
    }
    inputs, recurrent = own.get("weight_ih_l0", ()), own.get("weight_hh_l0", ())
    if len(inputs) != 2 or len(recurrent) != 2:
        return {}
    layers = sum(name.startswith("weight_hh_l") and not name.endswith("_reverse") for name in own)
    kind = "batch" if "normalisation.running_mean" in own else "layer" if "normalisation.weight" in own else "none"
    inferred = {"model.layers": layers, "model.hidden": recurrent[1], "model.normalisation": kind}
    inferred["model.encoder"] = "bilstm"
    if "scale.mean" not in shapes:
        inferred["features.standardise"] = False
        inferred |= {"features.columns": ("relativity",)} if inputs[1] == len(FEATURES) else {}
    return inferred


def start_from(reference: str, schedule: str, root: str | Path, state: bool = False) -> dict[str, Any]:
    """The settings of a fine-tuning run that starts from an encoder.

    Parameters
    ----------
    reference : str
        A pre-training run's id, or a file's path.
    schedule : str
        How the encoder is fine-tuned, as ``transfer.schedule``.
    root : str or Path
        The store.
    state : bool, default False
        Whether the state of the encoder's features is set too.

    Returns
    -------
    dict of str to Any
        Dotted names to values, for `specs.change`.

    Raises
    ------
    CheckpointError
        When there is no such run or file.
    """
    path = resolve(reference, root)
    kept = reference if RUN_ID.fullmatch(reference) else str(path.resolve())
    shared = settings_of(reference, root) | {"transfer.checkpoint": kept, "transfer.schedule": schedule}
    if "price_path" not in shared.get("features.columns", ("price_path",)):
        shared |= {"model.span_statistics": False, "training.mirrored_frac": 0.0}  # both read the price path
    feature_state = state_of(reference, root) if state else ""
    return shared | ({"features.state": feature_state} if feature_state else {})


def contradiction(spec: Finetune, root: str | Path) -> str:
    """In which settings the spec and the encoder that it starts from contradict each other; empty when they agree."""
    if spec.transfer.schedule == "none" or not spec.transfer.checkpoint:
        return ""
    given, asked = settings_of(spec.transfer.checkpoint, root), settings(spec)
    if "features.columns" in given:  # a group and its columns are the same
        given["features.columns"] = names(given["features.columns"])
        asked["features.columns"] = names(asked["features.columns"])
    return "; ".join(
        f"{name} is {_plain(asked[name])} in the settings and {_plain(value)} in the checkpoint"
        for name, value in given.items()
        if asked[name] != value
    )


def refuse_contradiction(spec: Finetune, root: str | Path) -> None:
    """Raise CheckpointError that names both where the spec contradicts the encoder that it starts from."""
    differences = contradiction(spec, root)
    if differences:
        raise CheckpointError(
            f"it does not fit the settings: {differences}.",
            where=spec.transfer.checkpoint,
            hint="Leave these settings out: they are taken from the checkpoint.",
        )


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


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
