"""Runs of a study beside each other: each is carried out as one of its own, by one of a few processes that take one run after another."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from moola_core.errors import MoolaError
from moola_core.launch.estimate import concurrency
from moola_core.launch.estimate.evidence import Evidence
from moola_core.launch.worker.children import Children, Execute
from moola_core.launch.worker.ending import Terminated, state_and_sentence
from moola_core.launch.worker.runs_of_arms import ArmRun, RunsOfArms
from moola_core.runs.store import Run, utcnow_iso
from moola_core.training.processes import LATER, side_by_side, take_part

Hear = Callable[[Any], None]
Work = Callable[[str, Hear], tuple[str, MoolaError | None]]


def run_concurrently(parts: RunsOfArms, ended: Callable[[], None]) -> None:
    """Carry out the runs of the study that are not done, where several at a time are worth it; which failed stands in `made.failed`.

    The record of each is that of a run of its own, and its numbers are those of one after another. Interrupted, those under way end as
    the study does. `ended` is called after each. Raises FailedRun where one of the processes is killed, and the error of the arm that all
    are compared with, once what runs beside it has ended.
    """
    made, study = parts.made, parts.study
    sizes, evidence = made.run.record.facts.sizes, Evidence(made.store)
    size = concurrency.Size(sizes.get("windows", 0), sizes.get("bars", 0))
    several = concurrency.concurrency_of(study, size, evidence)
    if several.runs == 1:
        return
    tasks = _tasks(parts)
    _rank(tasks, [concurrency.seconds_of(task.part.spec, size, evidence, several).median for task in tasks])
    agenda = _Agenda(made, sorted(tasks, key=lambda task: -task.rank), f"arm {study.against}")
    runs = min(several.runs, len(agenda.waiting))
    if runs <= 1:
        return
    work = partial(_carry_out, made.execute, several.processes)
    try:
        with closing(_results(work, agenda, runs)) as results:
            for run_id, error in results:
                agenda.end(run_id, error)
                ended()
        if agenda.needed is not None:
            raise agenda.needed
    except BaseException as error:
        _end(made, agenda.begun, error)
        raise


@dataclass
class _Task:
    """A run of the study; before: what those are called that it waits for; rank: the higher, the earlier it begins."""

    part: ArmRun
    before: tuple[str, ...] = ()
    rank: float = 0.0


def _tasks(parts: RunsOfArms) -> list[_Task]:
    """Every run once, behind those that it waits for; without an arm that cannot be made, which is told when its turn comes."""
    first: dict[str, _Task] = {}
    arms: list[_Task] = []
    for arm in parts.study.arms:
        try:
            before = parts.before(arm.name)
        except MoolaError:
            continue
        first |= {part.what: _Task(part) for part in before}
        arms.append(_Task(parts.arm(arm.name), tuple(part.what for part in before)))
    return [*first.values(), *arms]


def _rank(tasks: list[_Task], seconds: list[float]) -> None:
    place = {task.part.what: i for i, task in enumerate(tasks)}
    before = [[place[what] for what in task.before] for task in tasks]
    for task, rank in zip(tasks, concurrency.chains(seconds, before), strict=True):
        task.rank = rank


@dataclass
class _Agenda:
    """Which runs wait, which were begun, and what became of them.

    against: what the arm is called that the study cannot do without; needed: the error with which it, or what it starts from, failed.
    """

    made: Children
    tasks: list[_Task]
    against: str
    begun: dict[str, str] = field(default_factory=dict)  # what each is called, by its id
    over: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    needed: MoolaError | None = None

    def __post_init__(self) -> None:
        self.over = {task.part.what for task in self.tasks if self.made.is_over(task.part.what)}
        self.waiting = [task for task in self.tasks if task.part.what not in self.over]

    def items(self) -> Iterator[Any]:
        """The folder of each run, which is made when a process is free for it: one that nobody claims for long counts as lost."""
        while self.waiting:
            task = next((one for one in self.waiting if self.over.issuperset(one.before)), None)
            if task is None:
                yield LATER
                continue
            self.waiting.remove(task)
            folder = self._begin(task)
            if folder:
                yield folder

    def _begin(self, task: _Task) -> str:
        """The folder of the task's run; empty where it cannot be made, which is told when its arm's turn comes."""
        what = task.part.what
        try:
            if self.lost.isdisjoint(task.before):
                run = task.part.make()
                self.begun[run.id] = what
                return str(run.folder)
        except MoolaError:
            pass
        self._close(what, lost=True)
        return ""

    def end(self, run_id: str, error: MoolaError | None) -> None:
        """The run has ended. Where the study cannot do without it nothing more begins."""
        what = self.begun.pop(run_id)
        self._close(what, lost=error is not None)
        if error is None:
            return
        self.made.failed[run_id] = error
        needs = next((task.before for task in self.tasks if task.part.what == self.against), ())
        if what in (self.against, *needs):
            self.needed = self.needed or error
            self.waiting.clear()

    def _close(self, what: str, lost: bool) -> None:
        self.over.add(what)
        if lost:
            self.lost.add(what)


def _results(work: Work, agenda: _Agenda, runs: int) -> Generator[tuple[str, MoolaError | None]]:
    yield from side_by_side(work, agenda.items(), runs, partial(_pass_on, agenda.made))


def _carry_out(execute: Execute, processes: int, folder: str, emit: Hear) -> tuple[str, MoolaError | None]:
    """Carry out the run in this process; its id, and the error with which it failed."""
    take_part(processes)
    run = Run(Path(folder))
    try:
        execute(run, lambda event, progress: emit((event, dict(progress))))
    except MoolaError as error:
        return run.id, error
    except Terminated:  # the study's process ends too
        raise SystemExit(1) from None
    return run.id, None


def _pass_on(made: Children, message: tuple[Any, Any]) -> None:
    if made.listen is not None:
        made.listen(*message)


def _end(made: Children, begun: dict[str, str], error: BaseException) -> None:
    """Bring the runs whose processes have been ended to the state in which the study ends."""
    state, sentence = state_and_sentence(made.run, error)
    for run_id in begun:
        made.store.open(run_id).claim(("queued", "running"), state=state, error=sentence, ended=utcnow_iso())
