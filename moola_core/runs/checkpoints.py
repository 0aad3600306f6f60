"""Pre-trained encoders on disk: those of runs, and files that lie in data and artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moola_core.errors import CheckpointError
from moola_core.runs import codec
from moola_core.runs.record import RUN_ID, Record
from moola_core.runs.store import Store

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
            mend="Give the id of a finished pre-training run (`moola runs`), or a file.",
        )
    return path


def settings_of(reference: str, root: str | Path) -> dict[str, Any]:
    """The settings that a fine-tuning run must share with the checkpoint, as its description says; none without one."""
    path = resolve(reference, root).with_suffix(".json")
    try:
        spec = codec.load_object(path.read_bytes())["spec"]
        model, columns = spec["model"], spec["features"]["columns"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    shared = {f"model.{name}": model[name] for name in ("layers", "hidden", "normalisation") if name in model}
    return shared | {"features.columns": tuple(columns)}


def start_from(reference: str, schedule: str, root: str | Path) -> dict[str, Any]:
    """The settings of a fine-tuning run that starts from a run's or a file's encoder."""
    path = resolve(reference, root)
    kept = reference if RUN_ID.fullmatch(reference) else str(path.resolve())
    return settings_of(reference, root) | {"transfer.checkpoint": kept, "transfer.schedule": schedule}


def find(data: str | Path, root: str | Path) -> list[Checkpoint]:
    """Finished pre-training runs, newest first, then files under `data` and beside the runs in the store."""
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
