"""What a run cannot be opened or resumed without: other runs that its spec names, and files outside of the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from moola_core.errors import MoolaError, RunError
from moola_core.runs import codec
from moola_core.runs.files import read, reason
from moola_core.runs.record import RUN_ID, run_of
from moola_core.runs.store import Run, Store

FILES = ("windows", "bars", "checkpoint")
RESULTS = ("diagnose", "predict", "report")


def needs(run: Run) -> set[str]:
    """Ids of the runs that this one rests on: those that its spec names, its parent, and a study's arms."""
    named = {named for _, text in _texts(_spec(run)) if (named := run_of(text))}
    record = run.record
    return named | set(record.facts.children.values()) | ({record.parent} if record.parent else set())


def ancestors(run: Run) -> Iterator[Run]:
    """The run's parent, its parent's parent and so on, each once.

    It ends where there is no parent, where a record cannot be read, and where the line returns to a run that was there already:
    records come from other machines too, and nothing keeps a file from naming itself as its parent.
    """
    met = {run.id}
    parent = run.record.parent
    while RUN_ID.fullmatch(parent or "") and parent not in met:
        met.add(str(parent))
        run = Run(run.folder.with_name(str(parent)))
        try:
            parent = run.record.parent
        except RunError:
            return
        yield run


def refuse_circle(run: Run) -> None:
    """Raise RunError when the run is its own ancestor: such a record was not written by this program."""
    line = [run, *ancestors(run)]
    if line[-1].record.parent == run.id:
        raise RunError(
            f"is its own ancestor: {' → '.join(one.id for one in (*line, run))}.",
            where=f"run {run.id}",
            hint=f"Correct `parent` in {line[-1].folder / 'run.json'}, or launch a new run from its spec.json.",
        )


def files(run: Run, kinds: tuple[str, ...] = FILES) -> list[str]:
    """The files of these kinds that the run's spec names, as it names them."""
    named = (text for key, text in _texts(_spec(run)) if key.rpartition(".")[2] in kinds and text)
    return sorted({text for text in named if not run_of(text)})


def together(store: Store, run_ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """The runs with all that they need and the diagnostics and predictions made of them; and needed ids that are not there.

    Raises RunError when one of `run_ids` is not there.
    """
    for run_id in run_ids:
        store.open(run_id)
    waiting, included, missing = list(run_ids), set[str](), set[str]()
    made = [(r.parent, r.run_id) for r in store.runs(include_archived=True) if r.kind in RESULTS and r.parent]
    while waiting:
        run_id = waiting.pop()
        if run_id in included or run_id in missing:
            continue
        try:
            run = store.open(run_id)
            rests_on = needs(run)
        except MoolaError:
            missing.add(run_id)
            continue
        included.add(run_id)
        waiting += [*rests_on, *(child for parent, child in made if parent == run_id)]
    return sorted(included), sorted(missing)


def move(run: Run, places: dict[str, str]) -> None:
    """Say where files that the run's spec names lie now; the spec stays as it was. Raises RunError for a file that is not there."""
    for place in places.values():
        if not Path(place).is_file():
            raise RunError("no such file.", where=place, hint="Check the path.")
    run.write_places(places)


def _spec(run: Run) -> dict[str, Any]:
    try:
        return codec.load_object(read(run.folder / "spec.json"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"spec.json cannot be read: {reason(error)}.",
            where=f"run {run.id}",
            hint="Delete the run or restore the file.",
        ) from None


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in nested plain values, with the key under which it stands."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, key)
