"""The demo: a market and a run of each kind on it, so that every page has something to show. It can be taken away again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moola_core import studies
from moola_core.errors import MoolaError, RunError
from moola_core.launch.background import start_moola
from moola_core.launch.devices import Lock
from moola_core.launch.local import LocalLauncher
from moola_core.presets import preset
from moola_core.runs.record import Record
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Diagnose, Predict, change

TAG, FOLDER, LOCK, REMOVED = "demo", "demo", "demo", ".demo-removed"
FILES = ("windows.parquet", "bars.parquet", "truth.json")
NOTE = "Part of the demo."
STRIDE_BARS = 20
# The study is to be there soon, not to decide anything.
SMALL_STUDY = {"training.repeats": 1, "training.folds": 3, "training.epochs": 8, "pretrain.training.epochs": 2}
WAIT_S, ENDING_S = 0.5, 20.0


@dataclass(frozen=True)
class Step:
    """One part of the demo: what it is called, and its spec; run: the demo's first run, which diagnostics and predictions are of."""

    key: str
    title: str
    spec: Callable[[Data, Run | None], Any]
    of_run: bool = False


def _named(data: Data) -> dict[str, Any]:
    return {"data.windows": data.windows, "data.bars": data.bars}


def _quick(data: Data, run: Run | None) -> Any:
    return change(preset("quick").finetune(), _named(data))


def _pretrain(data: Data, run: Run | None) -> Any:
    return change(preset("quick").pretrain(), _named(data) | {"training.epochs": 5})


def _study(data: Data, run: Run | None) -> Any:
    return studies.study("transfer", "quick", data.model_dump(), SMALL_STUDY)


def _attribution(data: Data, run: Run | None) -> Any:
    assert run is not None
    return Diagnose(name="attribution", run=run.id)


def _predict(data: Data, run: Run | None) -> Any:
    assert run is not None
    return Predict(run=run.id, data=Data(bars=data.bars), stride=STRIDE_BARS)


STEPS = (
    Step("finetune", "a run, with what the doctor says of it", _quick),
    Step("diagnose features", "which features carry the label", lambda data, run: Diagnose(name="features", data=data)),
    Step(
        "diagnose shift", "how far the windows are from other bars", lambda data, run: Diagnose(name="shift", data=data)
    ),
    Step("predict", "predictions over the bars", _predict, True),
    Step("diagnose attribution", "an attribution", _attribution, True),
    Step("pretrain", "a pre-training", _pretrain),
    Step("study transfer", "a transfer study", _study),
)


@dataclass(frozen=True)
class Progress:
    """How far the demo is: done steps of all, the one that runs or waits, the one that failed, and the one that comes next."""

    done: int
    total: int
    active: Step | None = None
    failed: tuple[Step, str] | None = None
    next: Step | None = None

    @property
    def complete(self) -> bool:
        return self.done == self.total


def files(data: Path) -> tuple[Path, Path]:
    """Windows and bars of the demo market in the data folder, made if they are missing."""
    folder = data / FOLDER
    windows, bars = (folder / name for name in FILES[:2])
    if not (windows.is_file() and bars.is_file()):
        # Imported where it is used: the market's kernels bring numba, which no first paint needs.
        from moola_core.market.demo import make_demo, write_demo

        write_demo(folder, make_demo())
    return windows, bars


def records(store: Store) -> list[Record]:
    """The runs of the demo, newest first; not those that they are parts of."""
    return [one for one in store.runs(include_archived=True) if TAG in one.tags]


def progress(store: Store) -> Progress:
    """How far the demo is in the store."""
    made: dict[str, Record] = {}
    for record in records(store):
        made.setdefault(_key(store.open(record.run_id)), record)
    done = [step for step in STEPS if step.key in made and made[step.key].state == "done"]
    active = next((step for step in STEPS if step.key in made and made[step.key].active), None)
    ended = [step for step in STEPS if step.key in made and step not in done and step is not active]
    failed = (ended[0], made[ended[0].key].error or f"It is {made[ended[0].key].state}.") if ended else None
    following = next((step for step in STEPS if step.key not in made), None)
    return Progress(len(done), len(STEPS), active, failed, following)


def start(store: Store, data: Path, step: Step) -> str:
    """Start one step and return its run's id. Raises RunError where the run that it is of is not there, or not done."""
    windows, bars = files(data)
    run = next(
        (store.open(one.run_id) for one in records(store) if one.kind == "finetune" and one.state == "done"), None
    )
    if step.of_run and run is None:
        raise RunError("the demo's run is not there.", where="demo", hint="Remove the demo and make it again.")
    spec = step.spec(Data(windows=str(windows), bars=str(bars)), run)
    name = "Demo run" if step.key == "finetune" else f"Demo: {step.title}"
    return LocalLauncher(store).submit(
        spec, name=name, note=NOTE, tags=(TAG,), parent=run.id if run and step.of_run else None
    )


def fill(store: Store, data: Path) -> Iterator[Progress]:
    """Carry out what is missing of the demo, one step after another; gives how far it is whenever that changes.

    It ends when all is done, a step failed, or the demo was removed. Raises RunError where another process does this already.
    """
    lock = Lock(store.root, LOCK)
    if not lock.acquire():
        raise RunError("another process makes it already.", where="demo", hint="Wait for that one.")
    (store.root / REMOVED).unlink(missing_ok=True)
    try:
        yield from _carry_out(store, data)
    finally:
        lock.release()


def _carry_out(store: Store, data: Path) -> Iterator[Progress]:
    before: Progress | None = None
    while not removed(store):
        now = progress(store)
        if now != before:
            yield now
            before = now
        if now.failed or now.complete:
            return
        if now.active is None and now.next is not None:
            start(store, data, now.next)
        else:
            time.sleep(WAIT_S)


def filling(store: Store) -> bool:
    """Whether a process carries out what is missing of the demo now."""
    return Lock(store.root, LOCK).held()


def start_filling(store: Store) -> None:
    """Carry out what is missing in a process of its own, which outlives this one. Raises StoreError where none can be started."""
    start_moola(["demo", "--everything"], store.root / "workers" / "demo.log", store.root)


def remove(store: Store, data: Path) -> int:
    """Delete the demo's runs, with their parts, and its files; the number of runs. It is not made again by itself.

    Raises RunError where a run of it does not end when it is cancelled.
    """
    store.root.mkdir(parents=True, exist_ok=True)
    (store.root / REMOVED).touch()
    own = _with_parts(store)
    for record in own:
        if record.active and record.parent not in {one.run_id for one in own}:
            LocalLauncher(store).cancel(record.run_id)
    end = time.monotonic() + ENDING_S
    while any(one.active for one in _with_parts(store)) and time.monotonic() < end:
        time.sleep(WAIT_S)
    own = _with_parts(store)
    for record in own:
        store.delete(record.run_id)
    folder = data / FOLDER
    for path in [*(folder / name for name in FILES), *folder.glob("*.moola.json")]:
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return len(own)


def removed(store: Store) -> bool:
    """Whether the demo was taken away, so that it is not to come back by itself."""
    return (store.root / REMOVED).exists()


def _with_parts(store: Store) -> list[Record]:
    """The demo's runs and all that have one of them as a parent, such as the arms of its study."""
    every = store.runs(include_archived=True)
    ids = {one.run_id for one in every if TAG in one.tags}
    while more := {one.run_id for one in every if one.parent in ids} - ids:
        ids |= more
    return [one for one in every if one.run_id in ids]


def _key(run: Run) -> str:
    """Which step the run is of."""
    try:
        spec = run.spec
    except MoolaError:  # listed on Runs with the reason; here it is of no step
        return ""
    return f"{spec.kind} {getattr(spec, 'name', '')}".strip() if spec.kind in ("diagnose", "study") else str(spec.kind)
