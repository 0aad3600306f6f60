"""The functions of the public API: what the app and the command line do, in this process, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moola_core.arguments import a_kind, a_path, refuse_unknown
from moola_core.errors import SpecError
from moola_core.runs import Run, Store
from moola_core.specs import Compare, Diagnose, Finetune, Predict, build

if TYPE_CHECKING:
    import pandas as pd

    from moola_core.diagnostics.results import Comparison, Evaluation

STORE = "artifacts"
File = str | Path


def finetune(
    windows: File,
    bars: File | None = None,
    *,
    preset: str = "recommended",
    settings: Mapping[str, Any] | None = None,
    checkpoint: str = "",
    store: File = STORE,
) -> Run:
    """Cross-validate a model on labelled windows, in this process.

    Parameters
    ----------
    windows, bars : str or Path
        Files of labelled windows and, optionally, of the bars that they were cut from.
    preset : str, default "recommended"
        Where the settings start from.
    settings : mapping of str to value, optional
        Changes to them, as ``--set`` takes them: ``{"repeats": 2}`` or ``{"training.repeats": 2}``. ``estimator`` names another
        model than the preset's: ``{"estimator": "minirocket"}``.
    checkpoint : str, optional
        A run's id or a file to start the encoder from; of a fine-tuning run each fit takes the same fit.
    store : str or Path, default "artifacts"
        Folder of the runs.

    Returns
    -------
    Run
        The finished run; ``run.predictions`` holds its out-of-fold predictions.

    Raises
    ------
    SpecError, DataError, CheckpointError
        When a setting or a file is wrong; the message says how to fix it.
    """
    from moola_core.launch.training_specs import finetune_spec

    return execute(finetune_spec(preset, data_of(windows, bars), changes_of(settings), checkpoint, store), store)


def pretrain(
    bars: File,
    windows: File | None = None,
    *,
    preset: str = "recommended",
    settings: Mapping[str, Any] | None = None,
    store: File = STORE,
) -> Run:
    """Pre-train an encoder on unlabelled bars, in this process.

    Parameters
    ----------
    bars : str or Path
        File of bars.
    windows : str or Path, optional
        Labelled windows: kept out of pre-training, and used to probe the encoder.
    preset, settings, store
        As of :func:`finetune`.

    Returns
    -------
    Run
        The finished run; give its ``id`` to :func:`finetune` as `checkpoint`.

    Raises
    ------
    SpecError, DataError
        When a setting or a file is wrong; the message says how to fix it.
    """
    from moola_core.launch.training_specs import pretrain_spec

    return execute(pretrain_spec(preset, data_of(windows, bars), changes_of(settings)), store)


def run_study(
    name: str,
    windows: File,
    bars: File | None = None,
    *,
    preset: str = "recommended",
    settings: Mapping[str, Any] | None = None,
    store: File = STORE,
) -> Run:
    """Run a named study: its arms on the same folds and seeds, with baselines, and a verdict on each.

    Parameters
    ----------
    name : str
        ``"transfer"``, ``"losses"`` or another of ``moola_core.studies.STUDIES``.
    windows, bars, preset, settings, store
        As of :func:`finetune`; settings that begin with ``pretrain.`` change the pre-training.

    Returns
    -------
    Run
        The finished study; ``run.result("comparison")`` holds arms and verdicts.

    Raises
    ------
    SpecError, DataError
        When a setting or a file is wrong; the message says how to fix it.
    """
    from moola_core.studies import study

    return execute(study(name, preset, data_of(windows, bars), changes_of(settings)), store)


def join(of_class: Run, of_pointers: Run, *, name: str = "") -> Run:
    """Join two finished runs as one model: the classes of one, and the expansions of the other.

    Parameters
    ----------
    of_class, of_pointers : Run
        Finished runs on the same windows and folds. Copies of their models are kept.
    name : str, optional

    Returns
    -------
    Run

    Raises
    ------
    RunError
        When they cannot be joined; the message says in what they differ.
    """
    from moola_core.runs.joined import join_spec

    spec = join_spec(Store(_run(of_class).store_root), of_class.id, _run(of_pointers).id)
    return execute(spec, of_class.store_root, name=name)


def evaluate(run: Run) -> Evaluation:
    """Every metric of a run's out-of-fold predictions, pooled for each repeat.

    Parameters
    ----------
    run : Run
        A cross-validated run, finished or as far as it has come.

    Returns
    -------
    Evaluation
        ``evaluation.metrics["f1_macro"].mean`` is the mean over repeats.
    """
    from moola_core.diagnostics.evaluation import evaluate_run

    return evaluate_run(_run(run))


def compare(*runs: Run, margin: float = 0.02) -> Comparison:
    """Compare finished runs with the first of them.

    Parameters
    ----------
    *runs : Run
        Cross-validated runs of one store that share windows and folds.
    margin : float, default 0.02
        Differences within it count as equivalent.

    Returns
    -------
    Comparison

    Raises
    ------
    RunError
        When the runs cannot be compared; the message says why.
    """
    if len(runs) < 2:
        raise SpecError("fewer than two runs were given.", where="compare", hint="Give the baseline and others.")
    ids = tuple(_run(run).id for run in runs)
    done = execute(build(Compare, {"runs": ids, "margin": margin}, "compare"), runs[0].store_root)
    return _stored(done, "comparison")


def diagnose(
    name: str, run: Run | None = None, *, windows: File | None = None, bars: File | None = None, store: File = STORE
) -> Any:
    """Compute one diagnostic.

    Parameters
    ----------
    name : str
        Of windows and bars: ``"features"``, ``"shift"``. Of a run: ``"calibration"``, ``"balance"``, ``"errors"``,
        ``"transfer"``, ``"attribution"``.
    run : Run, optional
        The run that it is about.
    windows, bars : str or Path, optional
        Files, for a diagnostic that needs no run.
    store : str or Path, default "artifacts"
        Folder of the runs; the run's own where one is given.

    Returns
    -------
    A frozen result of ``moola_core.diagnostics.results``.

    Raises
    ------
    SpecError, DataError, RunError
        When it cannot be computed; the message says why.
    """
    values: dict[str, Any] = {"name": name, "run": "" if run is None else _run(run).id}
    if run is None:
        values["data"] = data_of(windows, bars)
    done = execute(build(Diagnose, values, "diagnose"), store if run is None else run.store_root)
    return _stored(done, name)


def predict(
    run: Run,
    *,
    windows: File | None = None,
    bars: File | None = None,
    stride: int = 5,
    out: File | None = None,
) -> pd.DataFrame:
    """Predict with all fits of a run.

    Parameters
    ----------
    run : Run
        A finished cross-validated run, or an investigation.
    windows, bars : str or Path
        Either windows, labelled or not, or bars to slide over.
    stride : int, default 5
        Bars from one window to the next.
    out : str or Path, optional
        A file to write them to as well: ``.parquet``, ``.csv``, or ``.json`` for tasks of Label Studio with predictions.

    Returns
    -------
    DataFrame
        One row per window: mean probabilities, the predicted class, how many fits agree, the median pointer.

    Raises
    ------
    SpecError, DataError, RunError
        When it cannot be done; the message says why.
    """
    from moola_core.launch import predicted_files
    from moola_core.runs.recommended import recommended

    values = {"run": recommended(_run(run)).id, "data": data_of(windows, bars), "stride": stride}
    spec = build(Predict, values, "predict")
    if out is not None:
        predicted_files.refuse_ending(a_path(out, "out"))
    done = execute(spec, run.store_root)
    if out is not None:
        predicted_files.write(done, out)
    return done.table("predicted").to_pandas()


def import_predictions(predictions: Any, windows: File, store: File = STORE, name: str = "", **answers: Any) -> Run:
    """A run made of anyone's predictions.

    Parameters
    ----------
    predictions : str, Path, DataFrame or mapping of str to array
        A row for each window: its ``window_id``, ``fold``, and ``p_<class>`` for each class or ``predicted``.
    windows : str or Path
        The labelled windows.
    store, name : str
    **answers
        Fields of `moola_core.launch.worker.imported.PredictionReading` that the table leaves open: ``folds="in-sample"``.

    Returns
    -------
    Run

    Raises
    ------
    DataError
        Says what is wrong or left open; no run is made then.
    """
    from moola_core.launch.worker import imported

    spec = build(Finetune, {"estimator": "imported", "data": data_of(windows, None)})
    refuse_unknown(answers, imported.PredictionReading.__dataclass_fields__, "import_predictions")
    return imported.import_predictions(Store(store), predictions, spec, name, imported.PredictionReading(**answers))


def report(run: Run, out: File, format: str = "") -> Path:
    """Write a report of a run, study or comparison.

    Parameters
    ----------
    run : Run
        A finished run.
    out : str or Path
        The file to write.
    format : str, optional
        ``"html"``, ``"pdf"``, ``"md"``, ``"json"`` or ``"zip"``; by the file's ending unless given.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ReportError
        When the format is not known or the file cannot be written.
    """
    from moola_core.launch.report_files import write

    write(_run(run), format or Path(a_path(out, "out")).suffix.removeprefix("."), out)
    return Path(out)


def execute(spec: Any, store: File = STORE, *, name: str = "") -> Run:
    """Do what any spec asks for, in this process, and return its run.

    Parameters
    ----------
    spec : Finetune, Pretrain, Study or another of ``moola_core.specs.KINDS``
        What is asked for.
    store : str or Path, default "artifacts"
        Folder of the runs.
    name : str, optional
        The run's name.

    Returns
    -------
    Run

    Raises
    ------
    MoolaError
        When it fails; the run's record then holds the sentence.
    """
    from moola_core.launch import worker  # loads torch: only once the settings are known to be right

    run = Store(store).create(spec, name)
    worker.run(run)
    return run


def data_of(windows: File | None, bars: File | None) -> dict[str, Any]:
    from moola_core.market.settings import load_reading

    values: dict[str, Any] = {}
    for kind, given in (("windows", windows), ("bars", bars)):
        if given is not None:
            path = a_path(given, kind)
            values |= {kind: str(Path(path).resolve()), f"{kind}_reading": load_reading(path).model_dump()}
    return values


def _run(run: Any) -> Run:
    return a_kind(run, Run, "run", "Give a run; Run.open(run_id) opens one.")


def changes_of(settings: Any) -> dict[str, Any]:
    return dict(a_kind(settings or {}, Mapping, "settings", 'Give a dict, such as {"epochs": 20}.'))


def _stored(run: Run, name: str) -> Any:
    from moola_core.diagnostics.results import RESULTS
    from moola_core.runs.codec import restore

    return restore(RESULTS[name], run.result(name))
