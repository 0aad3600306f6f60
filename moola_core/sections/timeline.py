"""The history of a data set as one timeline: what each run came to, and what was decided. The History page shows all of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from moola_core.diagnostics.results import PlanReport, PretrainReport, SearchResult
from moola_core.errors import MoolaError
from moola_core.runs import timeline
from moola_core.runs.codec import restore
from moola_core.runs.decisions import Decision
from moola_core.runs.places import real_path
from moola_core.runs.record import Record
from moola_core.runs.store import Run, Store
from moola_core.runs.timeline import DECISION, Entry
from moola_core.sections import advice
from moola_core.sections.blocks import Block, Row, Table
from moola_core.sections.context import ABSENT, ReportContext
from moola_core.sections.formatting import duration
from moola_core.sections.headlines import of_pretraining
from moola_core.sections.search import pick

TITLES = {
    "finetune": "Run",
    "pretrain": "Pre-training",
    "study": "Study",
    "compare": "Comparison",
    "plan": "Plan",
    "investigation": "Investigation",
    "search": "Search",
    "diagnose": "Diagnostic",
    "predict": "Prediction",
    "report": "Report",
    DECISION: "Decision",
}
# The page that shows a run of the kind, and under which name it is selected there.
PLACES = {
    "finetune": ("results", "run"),
    "pretrain": ("results", "run"),
    "study": ("compare", "study"),
    "compare": ("compare", "study"),
    "plan": ("compare", "study"),
    "search": ("compare", "study"),
    "investigation": ("investigate", "investigation"),
}
LATEST = 10  # events in a report


def history(context: ReportContext) -> list[Block] | str:
    """What was run and decided about the same windows, the newest first."""
    store = Store(context.run.store_root)
    windows, bars, files = _data_of(context)
    every = timeline.entries(store, partial(about, windows | bars, files), windows, files)
    rows: tuple[Row, ...] = tuple(_row(store, entry) for entry in every[:LATEST])
    left = len(every) - len(rows)
    note = f"{left} earlier events are left out." if left > 0 else ""
    columns = ("When", "What", "Outcome", "By", "Id")
    return [Table("", columns, rows, note)] if rows else "Nothing else was run on these windows."


def title_of(entry: Entry) -> str:
    """What kind of event it is, with the name of the run."""
    kind = TITLES.get(entry.kind, entry.kind.capitalize())
    record = entry.record
    if record is None:
        return kind
    name = record.name or record.preset or record.model.replace("_", " ")
    return kind if name.lower() in ("", kind.lower()) else f"{kind}: {name}"


def when(entry: Entry) -> str:
    """The time in UTC as it is read."""
    return f"{entry.time[:16].replace('T', ' ')} UTC"


def outcome(store: Store, entry: Entry) -> str:
    """What came out, in a sentence or two; read from the results of this one run."""
    if entry.decision is not None:
        return decided(entry.decision)
    record = entry.record
    assert record is not None
    if record.unreadable:
        return f"It cannot be read: {record.unreadable}"
    if record.active:
        return "It is running." if record.state == "running" else "It waits in the queue."
    if record.state != "done":
        states = {"failed": "It failed", "cancelled": "It was cancelled", "lost": "It was lost with its process"}
        return f"{states[record.state]}: {record.error}" if record.error else f"{states[record.state]}."
    try:
        return OUTCOMES.get(record.kind, _done)(Run(store.runs_folder / record.run_id), record)
    except (MoolaError, AttributeError, KeyError, TypeError, ValueError):
        return "It is done; its result cannot be read."


def decided(decision: Decision) -> str:
    if decision.unreadable:
        return f"It cannot be read: {decision.unreadable}."
    return " ".join(
        [_sentence(decision.text), *([f"Because: {_sentence(decision.reason)}"] if decision.reason else [])]
    )


def _sentence(text: str) -> str:
    """The text with a full stop, where it ends without one."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…", ":", ";")) else f"{text}."


def _done(run: Run, record: Record) -> str:
    return f"It was done in {duration(record.seconds)}." if record.seconds else "It is done."


def _computed(run: Run, record: Record) -> str:
    took = f" in {duration(record.seconds)}" if record.seconds else ""
    return f"The diagnostic {run.spec.name} was computed{took}."


def _compared(run: Run, record: Record) -> str:
    values = run.result("comparison")
    lines = str(values.get("sentence") or values.get("no_verdict") or "It is done.").split("\n")
    # Of several arms the verdicts alone; their numbers are where they are compared.
    return lines[0] if len(lines) == 1 else " ".join(f"{line.partition(': ')[0].rstrip('.')}." for line in lines)


def _planned(run: Run, record: Record) -> str:
    return str(advice.after_plan(record, restore(PlanReport, run.result("plan"))).fact)


def _concluded(run: Run, record: Record) -> str:
    return str(run.result("investigation")["conclusion"][0]["text"])


def _searched(run: Run, record: Record) -> str:
    best = restore(SearchResult, run.result("search")).best
    return pick(best) if best else _done(run, record)


def _cross_validated(run: Run, record: Record) -> str:
    values = run.result("evaluation")
    mean = ((values.get("metrics") or {}).get("f1_macro") or {}).get("mean")
    if mean is None:
        return _done(run, record)
    sampled = ((values.get("sampled") or {}).get("f1_macro") or {}).get("interval")
    between = f" (95% interval {sampled['low']:.3f} to {sampled['high']:.3f})" if sampled else ""
    return f"Macro F1 {mean:.3f}{between}."


def _pretrained(run: Run, record: Record) -> str:
    return of_pretraining(restore(PretrainReport, run.result("learned"))).headline


OUTCOMES: dict[str, Callable[[Run, Record], str]] = {
    "finetune": _cross_validated,
    "pretrain": _pretrained,
    "study": _compared,
    "compare": _compared,
    "plan": _planned,
    "investigation": _concluded,
    "search": _searched,
    "diagnose": _computed,
}


def _row(store: Store, entry: Entry) -> Row:
    text = outcome(store, entry)
    if entry.replaced_by is not None:
        text = f"Superseded by: {decided(entry.replaced_by)} It was: {text}"
    who = entry.decision.who if entry.decision is not None else ""
    return when(entry), title_of(entry), text, who or ABSENT, entry.id


def _data_of(context: ReportContext) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The content hashes of the run's windows and bars, those of its parts where it has none itself, and the files of both."""
    own = [context.record]
    if not own[0].data_hashes:
        compared: Any = getattr(context.spec, "runs", ())
        own += [run.record for run in map(context.other, compared) if run is not None]
        own += [
            one for one in Store(context.run.store_root).runs(include_archived=True) if one.parent == context.run.id
        ]
    windows, bars = (
        frozenset(record.data_hashes[name] for record in own if name in record.data_hashes)
        for name in ("windows", "bars")
    )
    files = {real_path(file) for record in own for name in ("windows", "bars") if (file := record.data.get(name))}
    return windows, bars, frozenset(files)


def about(contents: Collection[str], files: Collection[str], record: Record) -> bool:
    """Whether the run is on windows of these hashes, or on these files, whatever was in them then; a pre-training is known by its bars."""
    name = "bars" if record.kind == "pretrain" else "windows"
    if record.data_hashes.get(name) in contents:
        return True
    file = record.data.get(name, "")
    return bool(file) and real_path(file) in files
