"""Pre-trainings of a study that do not wait for each other: carried out over the cores, each in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from moola_core.errors import MoolaError
from moola_core.launch.estimate import base
from moola_core.launch.worker.children import Children, Execute
from moola_core.launch.worker.ending import Terminated, state_and_sentence
from moola_core.runs.store import Run, utcnow_iso
from moola_core.specs import Pretrain, Study
from moola_core.training.device import use_threads
from moola_core.training.processes import side_by_side

Hear = Callable[[Any], None]


def pretrain_at_once(made: Children, specs: Sequence[Pretrain]) -> None:
    """Carry out the pre-trainings that are not done, where several at a time are worth it; which failed stands in `made.failed`.

    The record of each is that of a run of its own, and its numbers are those of one after another. Interrupted, all of them end as the
    study does. Raises FailedRun where one of the processes is killed.
    """
    study: Study = made.run.spec
    missing = [one for one in specs if not made.is_done(one)]
    bars = made.run.record.facts.sizes.get("bars", 0)
    processes = base.pretrainings_at_once(missing, bars, study.base.training.processes)
    if processes <= 1:
        return
    begun: list[Run] = []
    work = partial(_carry_out, made.execute, max((os.cpu_count() or 1) // processes, 1))
    try:
        for run_id, error in side_by_side(work, _folders(made, missing, begun), processes, partial(_pass_on, made)):
            if error is not None:
                made.failed[run_id] = error
    except BaseException as error:
        _end(made, begun, error)
        raise


def _folders(made: Children, specs: Sequence[Pretrain], begun: list[Run]) -> Iterator[str]:
    """The folder of each run, which is made when a process is free for it: a run that nobody claims for long counts as lost."""
    for spec in specs:
        run = made.encoder_of(spec)
        begun.append(run)
        yield str(run.folder)


def _carry_out(execute: Execute, threads: int, folder: str, emit: Hear) -> tuple[str, MoolaError | None]:
    """Carry out the run in this process; its id, and the error with which it failed."""
    use_threads(threads)
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


def _end(made: Children, begun: Sequence[Run], error: BaseException) -> None:
    """Bring the runs whose processes have been ended to the state in which the study ends."""
    state, sentence = state_and_sentence(made.run, error)
    for run in begun:
        run.claim(("queued", "running"), state=state, error=sentence, ended=utcnow_iso())
