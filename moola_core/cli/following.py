"""One run on the terminal: how it stands, and its epochs as they come."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from moola_core.cli import options
from moola_core.sections.formatting import duration, time_range

if TYPE_CHECKING:
    from moola_core.runs.store import Run, Store

POLL_S = 0.5
SHOWN = ("replicate_finished", "monitor", "epoch", "log")
LOSSES = {"loss_class": "class loss", "loss_pointer": "pointer loss", "loss": "loss"}


def print_run(args: argparse.Namespace) -> int:
    """The run's state, how far it is and what it waits for or how long it still takes."""
    from moola_core.launch.estimate.remaining import remaining
    from moola_core.runs.store import Store

    run = Store(args.store).open(args.run)
    record = run.record
    left = remaining(run) if record.state == "running" else None
    options.print_result(
        vars(record) | {"remaining": left, "last": _last(run)}, args.json, "\n".join(_lines(run, left))
    )
    return 0


def follow(args: argparse.Namespace) -> int:
    """Print what the run and its parts say until it ends. Interrupted, the run goes on. 0 when it is done, else 1."""
    from moola_core.runs.liveness import mark_lost
    from moola_core.runs.store import Store

    store = Store(args.store)
    run = store.open(args.run)
    say = _say_json if args.json else _say
    heard = _Heard(store, run)
    try:
        while True:
            record = mark_lost(run, run.record)  # before the events: what comes in between is printed in the next round
            for one, event in heard.events():
                say(run, one, event)
            if not record.active:
                break
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        print(f"\nRun {run.id} goes on. `moola cancel {run.id}` ends it.", file=sys.stderr)
        raise
    if args.json:
        print(json.dumps({"run_id": run.id, "state": record.state, "error": record.error}), flush=True)
    else:
        print("\n".join(_lines(run, None)), flush=True)
    return 0 if record.state == "done" else 1


class _Heard:
    """The events of a run and of the runs that are part of it, each once; states of the run as events too."""

    def __init__(self, store: Store, run: Run) -> None:
        self.store, self.run = store, run
        self.readers: dict[str, Callable[[], list[dict[str, Any]]]] = {}
        self.states: dict[str, str] = {}

    def events(self) -> Iterator[tuple[Run, dict[str, Any]]]:
        from moola_core.runs.event_file import EventReader

        for one in (self.run, *self._parts()):
            state = one.record.state
            if self.states.get(one.id) != state:
                self.states[one.id] = state
                yield one, {"type": "state", "values": {"state": state, **_waits(one, state)}}
            reader = self.readers.setdefault(one.id, EventReader(one.folder).read)
            for event in reader():
                if event["type"] in SHOWN:
                    yield one, event

    def _parts(self) -> list[Run]:
        from moola_core.runs.families import families

        if self.run.record.kind in ("finetune", "pretrain", "diagnose", "predict", "report"):
            return []
        every = families(self.store.runs(include_archived=True))
        own = next((family for family in every if any(one.run_id == self.run.id for one in family.records)), None)
        inside = {self.run.id}
        for record in own.records if own else ():
            if record.parent in inside:
                inside.add(record.run_id)
        return [self.store.open(run_id) for run_id in sorted(inside - {self.run.id})]


def _waits(run: Run, state: str) -> dict[str, str]:
    """What a run that waits waits for."""
    if state != "queued":
        return {}
    from moola_core.launch.waiting import waiting
    from moola_core.sections.waiting_text import sentence

    reason = waiting(run)
    return {"waits": sentence(reason)} if reason else {}


def _say_json(followed: Run, run: Run, event: dict[str, Any]) -> None:
    print(json.dumps({"run_id": run.id, **event}), flush=True)


def _say(followed: Run, run: Run, event: dict[str, Any]) -> None:
    name = "" if run.id == followed.id else f"{run.record.name or run.id}: "
    text = _line(run, event)
    if text:
        print(f"{name}{text}", flush=True)


def _line(run: Run, event: dict[str, Any]) -> str:
    values = event.get("values", {})
    if event["type"] == "state":
        return " ".join(filter(None, [f"{values['state']}.", values.get("waits", "")]))
    place = _place(event)
    if event["type"] == "log":
        return f"{place}{values.get('message', '')}"
    if event["type"] == "replicate_finished":
        return f"{place}done in {duration(values.get('seconds'))}{_left(run)}"
    if event["type"] == "monitor":
        return f"{place}{_metrics(values)}"
    split = {"validation": "validation", "valid": "validation", "train": "training"}.get(event.get("split") or "", "")
    return f"{place}{split} {_losses(values)}"


def _place(event: dict[str, Any]) -> str:
    parts = [f"{name} {event[name] + 1}" for name in ("repeat", "fold") if event.get(name) is not None]
    parts += [f"epoch {event['epoch']}"] if event.get("epoch") is not None else []
    return f"{', '.join(parts)}: " if parts else ""


def _losses(values: dict[str, Any]) -> str:
    known = [name for name in LOSSES if isinstance(values.get(name), int | float)]
    known = [name for name in known if name != "loss"] or known
    texts = [f"{LOSSES[name]} {values[name]:.3f}" for name in known]
    sigmas = [f"{values[name]:.3f}" for name in ("sigma_class", "sigma_pointer") if name in values]
    return ", ".join([*texts, *([f"σ {' and '.join(sigmas)}"] if sigmas else [])])


def _metrics(values: dict[str, Any]) -> str:
    from moola_core.metrics import METRICS

    texts = []
    for name, value in values.items():
        title = METRICS[name].short or METRICS[name].title if name in METRICS else name.replace("_", " ")
        digits = METRICS[name].digits if name in METRICS else 3
        if isinstance(value, dict):
            texts += [f"{title} of {label} {one:.{digits}f}" for label, one in value.items() if one is not None]
        elif value is not None:
            texts.append(f"{title} {value:.{digits}f}")
    return ", ".join(texts)


def _left(run: Run) -> str:
    """Fits that are made, and how long the run still takes, by its own steps."""
    from moola_core.launch.estimate.remaining import remaining

    record, left = run.record, remaining(run)
    done, total = int(record.progress.get("done") or 0), int(record.progress.get("total") or 0)
    made = f"; {done} of {total} {record.progress.get('unit', 'fits')}" if total else ""
    return made if left is None else f"{made}, {duration(left.seconds)} left ({time_range(left.low, left.high)})"


def _last(run: Run) -> dict[str, Any] | None:
    """The newest epoch, with its losses."""
    from moola_core.runs.event_file import tail

    epochs = [event for event in tail(run.folder, 200_000) if event["type"] == "epoch"]
    return epochs[-1] if epochs else None


def _lines(run: Run, left: Any) -> list[str]:
    """How the run stands, for people."""
    from moola_core.sections.timeline import TITLES

    record = run.record
    name = f" {record.name}" if record.name else ""
    lines = [f"{TITLES.get(record.kind, 'Run')}{name} ({run.id}) is {record.state}."]
    done, total = int(record.progress.get("done") or 0), int(record.progress.get("total") or 0)
    if total:
        time_left = f", {duration(left.seconds)} left ({time_range(left.low, left.high)})" if left else ""
        took = f", in {duration(record.seconds)}" if record.seconds else ""
        lines.append(f"{done} of {total} {record.progress.get('unit', 'fits')}{took}{time_left}.")
    lines += [waits] if (waits := _waits(run, record.state).get("waits")) else []
    last = _last(run)
    lines += [f"Last: {_line(run, last)}"] if last and record.active else []
    return lines + ([record.error] if record.error else [])
