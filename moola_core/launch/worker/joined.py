"""A run that joins two others: nothing is trained, and what the two predicted is measured as one model's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from moola_core.errors import DataError
from moola_core.launch.worker import diagnose, finetune
from moola_core.launch.worker.labelled import load_inputs
from moola_core.launch.worker.relay import EventWriter, ProgressCallback
from moola_core.runs import codec
from moola_core.runs.joined import joinable, joined_predictions, keep_parts
from moola_core.runs.store import Run, Store
from moola_core.specs import Finetune

SPAN_TABLES = ("per_bar", "spans")


def work(run: Run, listen: ProgressCallback | None) -> None:
    """Join the runs that the spec names."""
    spec: Finetune = run.spec
    of_class, of_pointers = parts = joinable(Store(run.store_root), spec.join)
    material, _, hashes, facts = load_inputs(spec, run.store_root / "cache")
    if hashes["windows"] != of_class.record.data_hashes["windows"]:
        raise DataError(
            "the labelled windows are not those that the runs were made on.",
            where=spec.data.windows,
            hint="Put the old file back, or run both again.",
        )
    keep_parts(run, parts)
    folds = of_class.folds
    run.write_table("folds", {name: folds[name].to_numpy() for name in folds})
    own = {name: value for name, value in of_class.record.data_hashes.items() if name in ("windows", "bars", "folds")}
    fits = joined_predictions(*parts).groupby(["repeat", "fold"], sort=True)
    progress = {"done": 0, "total": fits.ngroups, "epochs": 1}
    run.update(data_hashes=own, facts=facts, progress=progress)
    relay = EventWriter(run, progress, listen)
    done = run.replicates()
    for (repeat, fold), rows in fits:
        fit = (int(repeat), int(fold))
        if fit not in done:
            run.write_replicate(*fit, _tables(of_pointers, fit, rows), {}, _facts(parts, fit))
        relay.finished()
    relay.flush()
    finetune.gather(run)
    finetune.evaluate_into(run)
    diagnose.store_all(run, material)


def _tables(of_pointers: Run, fit: tuple[int, int], rows: pd.DataFrame) -> dict[str, Mapping[str, Any]]:
    """The tables of a fit: its joined predictions, and the spans of the run of the expansions where it scores them."""
    folder = of_pointers.replicates()[fit]
    spans = {name: folder / f"{name}.parquet" for name in SPAN_TABLES}
    tables = {name: pq.read_table(path) for name, path in spans.items() if path.is_file()}
    return {"predictions": {name: rows[name].to_numpy() for name in rows}} | {
        name: {column: table[column] for column in table.column_names} for name, table in tables.items()
    }


def _facts(parts: tuple[Run, Run], fit: tuple[int, int]) -> dict[str, Any]:
    """What is known of both fits together; labels are read by the model of the expansions."""
    both = [codec.load_object((part.replicates()[fit] / "fit.json").read_bytes()) for part in parts]
    sizes = [one["trainable_parameters"] for one in both if one["trainable_parameters"] is not None]
    return {
        "best_epoch": 0,
        "epochs": 0,
        "sigma_ratio": None,
        "at_limit": None,
        "trainable_parameters": sum(sizes) if sizes else None,
        "shared_parameters": 0 if sizes else None,
        "seconds": sum(one["seconds"] for one in both),
        "device": both[0].get("device", ""),
        "label_noise": both[1].get("label_noise"),
    }
