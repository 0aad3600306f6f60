"""The store: one folder a run under `artifacts/runs/`. The folders are the truth; the index only makes listing quick."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from moola_core import specs
from moola_core.errors import FULL, RunError, StoreError
from moola_core.runs import codec, event_lines
from moola_core.runs.facts import Facts
from moola_core.runs.files import flush, locked, read, reason, refuse_other_than_file, remove, replacing, write_text
from moola_core.runs.listing import listed
from moola_core.runs.liveness import active, identity
from moola_core.runs.places import PLACES, data_of, folder_of, moved
from moola_core.runs.record import Record, from_dict, stored

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_STORE = "artifacts"
ESTIMATOR_FILE = "estimator.skops"


def utcnow_iso() -> str:
    """The time as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Run:
    """One run's folder: its spec, record, events, tables and results. Reading needs no torch.

    Attributes
    ----------
    id : str
        The run's id, which is also the name of its folder.
    record : Record
        What happened, read from the disk each time.
    spec : Finetune, Pretrain, Study, ...
        What was asked for, with its files where they lie now.
    predictions, folds, steps : DataFrame
        The tables of these names.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def open(run_id: str, store: str | Path = DEFAULT_STORE) -> Run:
        """The run called `run_id` in the store. Raises RunError when there is none."""
        return Store(store).open(run_id)

    def __repr__(self) -> str:
        return f"Run({self.id!r}, {self.record.state})"

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def store_root(self) -> Path:
        """The folder of the store that holds the run."""
        return self.folder.parent.parent

    @property
    def record(self) -> Record:
        return from_dict(self._json("run.json") | {"run_id": self.id})

    @property
    def spec(self) -> Any:
        """The spec that was asked for, with its files where they lie now."""
        values, places = self._json("spec.json"), self.places
        return specs.parse(moved(values, places) if places else values, where=str(self.folder / "spec.json"))

    @property
    def places(self) -> dict[str, str]:
        """Where files that the spec names lie on this machine, if the run came from another; empty when as named."""
        return self._json(PLACES) if (self.folder / PLACES).is_file() else {}

    def write_places(self, places: Mapping[str, str]) -> None:
        """Add to the places of files that the spec names; the spec itself never changes."""
        write_text(self.folder / PLACES, codec.dumps(self.places | dict(places), indent=1) + "\n")
        self.update(data=data_of(moved(self._json("spec.json"), self.places)))

    @property
    def predictions(self) -> pd.DataFrame:
        """Out-of-fold predictions: repeat, fold, window_id, label, predicted, p_<label>, start_true, end_true, start_pred, end_pred."""
        return self.table("predictions").to_pandas()

    @property
    def folds(self) -> pd.DataFrame:
        """repeat, fold, window_id, role (train, inner, test or purged; inner are the validation windows)."""
        return self.table("folds").to_pandas()

    @property
    def steps(self) -> pd.DataFrame:
        """One row a training step: losses, σ, gradient norms, cosine, conflict, projected."""
        return self.table("steps").to_pandas()

    def table(self, name: str, window_ids: Collection[str] | None = None) -> pa.Table:
        """The Parquet table called `name`, or its rows of these windows. Raises RunError when there is none (yet), or its file is torn."""
        path = self.folder / f"{name}.parquet"
        if not path.is_file():
            raise RunError(
                f"has no {name} yet.", where=f"run {self.id}", hint="Wait until it is done, or launch it again."
            )
        try:
            return pq.read_table(path, filters=None if window_ids is None else [("window_id", "in", list(window_ids))])
        except (OSError, pa.ArrowException) as error:
            raise RunError(
                f"{name}.parquet cannot be read: {error}.", where=f"run {self.id}", hint="Restore the file from a copy."
            ) from None

    def result(self, name: str) -> dict[str, Any]:
        """A stored result as plain values.

        Parameters
        ----------
        name : str
            For example ``"evaluation"``, ``"comparison"`` or ``"learned"``.

        Raises
        ------
        RunError
            When it was not computed, or its file is torn.
        """
        path = self.folder / "results" / f"{name}.json"
        if not path.is_file():
            raise RunError(
                f"has no result {name}.", where=f"run {self.id}", hint="Wait until it is done, or launch it again."
            )
        return self._json(f"results/{name}.json")

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """The events from number `after` on. A last line that is being written is left for the next call."""
        path = self.folder / "events.jsonl"
        if not path.is_file():
            return []
        each = path.read_bytes().split(b"\n")[after:-1]  # bytes: the last line may end inside a character
        return [event for line in each if (event := event_lines.read(line)) is not None]

    def keep_events(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Drop the events that are not wanted: those of work that an interruption took back."""
        path = self.folder / "events.jsonl"
        if path.is_file():
            write_text(path, "".join(event_lines.written(event) for event in self.events() if wanted(event)))

    def log_text(self, lines: int = 200) -> str:
        """The last lines that the process printed."""
        path = self.folder / "log.txt"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return "\n".join(text.splitlines()[-lines:])

    def update(self, facts: Facts | None = None, **changes: Any) -> Record:
        """Replace fields of the record, atomically; `facts` as a whole."""
        changes |= {} if facts is None else {"facts": facts}
        with locked(self.folder):
            return self._change(self.record, changes)

    def claim(self, states: Sequence[str], owner: Mapping[str, Any] | None = None, **changes: Any) -> Record | None:
        """Replace fields of the record if its state is one of `states`; None when another process has changed it before.

        owner: the process whose run it has to be; any by default.
        """
        with locked(self.folder):
            record = self.record
            mine = record.state in states and (owner is None or record.process == dict(owner))
            return self._change(record, changes) if mine else None

    def _change(self, record: Record, changes: Mapping[str, Any]) -> Record:
        record = dataclasses.replace(record, **changes)
        write_text(self.folder / "run.json", codec.dumps(stored(record), indent=2) + "\n")
        return record

    def append_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Add events, each stamped with the time unless it carries one."""
        text = "".join(event_lines.written({"time": utcnow_iso(), **event}) for event in events)
        self._append("events.jsonl", text)

    def append_log(self, text: str) -> None:
        """Add to what the process printed."""
        self._append("log.txt", text)

    def _append(self, name: str, text: str) -> None:
        path = self.folder / name
        try:
            refuse_other_than_file(path)
            with path.open("ab+") as file:
                # A line that was cut off in the middle stays alone, so that it spoils no other.
                cut = file.seek(0, os.SEEK_END) and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
                file.write(("\n" if cut else "").encode() + text.encode())
        except OSError as error:
            raise StoreError(
                f"cannot be written: {error.strerror}.", where=str(path), hint="Check the disk's space and rights."
            ) from None

    def sweep(self) -> None:
        """Remove the drafts that a killed process left half written."""
        for path in [*self.folder.rglob(".*.tmp")]:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def write_table(self, name: str, columns: Mapping[str, Any]) -> Path:
        """Replace the Parquet table called `name`, which may hold a folder: columns of equal length."""
        path = self.folder / f"{name}.parquet"
        with replacing(path) as draft:
            pq.write_table(pa.table(dict(columns)), draft)
        return path

    def write_result(self, name: str, result: Any) -> Path:
        """Replace the result called `name`: a dataclass or plain values."""
        path = self.folder / "results" / f"{name}.json"
        write_text(path, codec.dumps(result, indent=1) + "\n")
        return path

    def write_replicate(
        self,
        repeat: int,
        fold: int,
        tables: Mapping[str, Mapping[str, Any]],
        weights: Mapping[str, np.ndarray],
        facts: Mapping[str, Any],
        estimator: bytes | None = None,
    ) -> None:
        """Keep a finished fit: its tables, its weights or fitted estimator, and its facts appear together or not at all."""
        from safetensors.numpy import save_file

        folder = self.folder / "replicates" / f"{repeat:03d}-{fold:02d}"
        draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        try:
            draft.mkdir(parents=True, exist_ok=True)
            for name, columns in tables.items():
                pq.write_table(pa.table(dict(columns)), draft / f"{name}.parquet")
            (draft / "fit.json").write_text(codec.dumps(facts) + "\n", encoding="utf-8")
            if weights:
                arrays = {name: np.require(array, requirements="C") for name, array in weights.items()}
                save_file(arrays, draft / "weights.safetensors")
            if estimator is not None:
                (draft / ESTIMATOR_FILE).write_bytes(estimator)
            for path in draft.iterdir():
                flush(path)
            draft.replace(folder)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise StoreError(
                f"cannot be written: {error.strerror}.", where=str(folder), hint="Check the disk's space and rights."
            ) from None

    def write_checkpoint(self, name: str, weights: Mapping[str, np.ndarray], description: Mapping[str, Any]) -> Path:
        """Replace checkpoints/NAME.safetensors and the description next to it; the description is there first."""
        from safetensors.numpy import save_file

        path = self.folder / "checkpoints" / f"{name}.safetensors"
        write_text(path.with_suffix(".json"), codec.dumps(description, indent=1) + "\n")
        with replacing(path) as draft:
            # In the file itself too: between the two replacements the one next to it belongs to other weights.
            arrays = {key: np.require(array, requirements="C") for key, array in weights.items()}
            save_file(arrays, draft, {"description": codec.dumps(description)})
        return path

    def replicates(self) -> dict[tuple[int, int], Path]:
        """Folders of the finished fits by (repeat, fold)."""
        folder = self.folder / "replicates"
        folders = sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
        return {(int(path.name[:3]), int(path.name[4:])): path for path in folders}

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            return codec.load_object(read(path))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{name} cannot be read: {reason(error)}.",
                where=f"run {self.id}",
                hint="Restore the file from a copy, or delete the run.",
            ) from None


class Store:
    """All runs under `root`, by id."""

    def __init__(self, root: str | Path = DEFAULT_STORE) -> None:
        self.root = Path(root)
        self.runs_folder = self.root / "runs"

    def create(
        self,
        spec: Any,
        name: str = "",
        note: str = "",
        tags: Sequence[str] = (),
        parent: str | None = None,
        queue: Mapping[str, Any] | None = None,
    ) -> Run:
        """A new run that is to begin.

        Parameters
        ----------
        spec : SpecModel
            What is asked for; any kind of spec.
        name, note : str, optional
            For people.
        tags : sequence of str, optional
            For people.
        parent : str, optional
            The id of the run that this one is part of or is about.
        queue : mapping, optional
            As `Record.queue`. Without it this process is to carry the run out: if it dies before that, the run is lost.

        Returns
        -------
        Run

        Raises
        ------
        StoreError
            When the store cannot be written.
        """
        time.sleep(0.001)  # runs are sorted by their ids, which name the time to the millisecond
        moment = datetime.now(UTC)
        run_id = f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}-{secrets.token_hex(2)}"
        folder = self.runs_folder / run_id
        draft = folder.with_name(f".{run_id}.tmp")
        seed = getattr(getattr(spec, "training", None), "seed", None)
        record = Record(
            run_id,
            spec.kind,
            parent=parent,
            name=name,
            note=note,
            tags=tuple(tags),
            preset=getattr(spec, "preset", ""),
            model=getattr(spec, "estimator", ""),
            created=utcnow_iso(),
            seed=seed,
            data=data_of(spec.model_dump(mode="json")),
            process={} if queue else identity(),
            queue=dict(queue or {}),
        )
        try:
            draft.mkdir(parents=True)
            (draft / "spec.json").write_text(spec.model_dump_json(indent=2) + "\n", encoding="utf-8")
            (draft / "run.json").write_text(codec.dumps(stored(record), indent=2) + "\n", encoding="utf-8")
            for path in draft.iterdir():
                flush(path)
            draft.replace(folder)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise StoreError(
                f"cannot be written: {error.strerror}.",
                where=str(self.root),
                hint=f"{'Free some space there' if error.errno in FULL else 'Make it writable'}, or choose another store (--store DIR; in the app, MOOLA_STORE).",
            ) from None
        return Run(folder)

    def open(self, run_id: str) -> Run:
        """The run called `run_id`. Raises RunError for a name that is no run id, and when there is no such run."""
        run = Run(folder_of(self.root, run_id))
        if not (run.folder / "run.json").is_file():
            _ = run.record  # raises with the reason
        return run

    def runs(self, kind: str | None = None, include_archived: bool = False) -> list[Record]:
        """The records of the runs, newest first, those of runs that cannot be read too.

        A run whose process is proved dead becomes lost here.

        Parameters
        ----------
        kind : str, optional
            Only runs of this kind.
        include_archived : bool, default False
            Whether archived runs are listed.

        Returns
        -------
        list of Record
        """
        records = listed(self.root, lambda run_id: Run(self.runs_folder / run_id))
        shown = (record for record in records if include_archived or not record.archived)
        return [record for record in shown if kind in (None, record.kind)]

    def delete(self, run_id: str) -> None:
        """Remove a run, whatever its folder holds. Raises RunError when it is active, StoreError when it cannot be removed."""
        run = Run(folder_of(self.root, run_id))
        if active(run):
            raise RunError("is still running.", where=f"run {run_id}", hint="Cancel it, or wait until it ends.")
        remove(run.folder)
