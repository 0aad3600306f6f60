"""Processes that work in parallel to this one: one thread each, deaf to interrupts, gone when their parent is gone."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from multiprocessing import connection, reduction
from pathlib import Path
from typing import IO, Any

from moola_core.errors import FailedRun, MoolaError
from moola_core.host.garbage import loading
from moola_core.host.standstill import Watch
from moola_core.host.threads import one_thread, one_thread_from_start

LOOK_S = 1.0
END_S = 10.0
Place = tuple[int, int]
LATER = object()  # in place of an item: there is none now, and there will be when others are done
_NOTHING = object()
READY, EVENT, DONE, FAILED = "ready", "event", "done", "failed"


def within(processes: int) -> int:
    """So many processes, or the fewer that this one may start because it shares the work of another one."""
    return min(processes, _share.get("processes", processes))


def share() -> int:
    """How many processes this one may use where it shares the work of another one; 0 elsewhere."""
    return _share.get("processes", 0)


def take_part(processes: int) -> None:
    """Let this process, which shares the work of another one, start at most so many itself."""
    _share["processes"] = processes
    multiprocessing.current_process().daemon = processes <= 1  # a daemon may start none


_share: dict[str, int] = {}


def process_map(function: Callable[[Any], Any], items: Sequence[Any], processes: int = 2) -> Iterator[Any]:
    """`function` of each item, as each is done, over at most as many processes as there are cores.

    Closing the iterator ends them. Raises FailedRun when one of them is killed.
    """
    processes = within(min(processes, os.cpu_count() or 1, len(items)))
    if processes <= 1:
        yield from map(function, items)
        return
    yield from side_by_side(function, items, processes)


def side_by_side(
    function: Callable[..., Any], items: Iterable[Any], processes: int, emit: Callable[[Any], None] | None = None
) -> Iterator[Any]:
    """`function` of each item, as each is done, over so many processes; with `emit`, `function` is given one as its second argument.

    Items are taken when a process is free; one that comes only when others are done is `LATER` until then.
    What `function` emits reaches `emit` in this process, in order and before the item's result. An error of `function` is raised
    here. Closing the iterator ends the processes. Raises FailedRun when one of them ends while there is work for it: as soon as it
    starts, while it imports, or later; and when it does nothing for ten minutes, because it was stopped or is stuck.
    """
    work = _Work()
    begin = work.add((function, emit is not None))
    count, children = min(processes, len(items)) if isinstance(items, Sized) else processes, list[_Child]()
    try:
        for _ in range(count):
            children.append(_start(work, begin))
        crew = _Crew(work, iter(items), list(children))
        while crew.working:
            for child in crew.heard():
                kind, value = _hear(child)
                child.standstill.reset()
                if kind == EVENT:
                    assert emit is not None
                    emit(value)
                    continue
                if kind == FAILED:
                    _raise(*value)
                crew.give(child)
                if kind == DONE:
                    yield value
            crew.give(*crew.free)
            _refuse_standstill([child for child in crew.working if child not in crew.free])
    finally:
        _end(children)
        work.file.close()


class _Work:
    """What the processes are to do, pickled in a file that they inherit open.

    Not through the pipe by which multiprocessing starts them: this process would wait for ever for one that died before it had read
    it. The file has no name, so it goes with the last process that has it open, however that ends.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.file = _nameless() if descriptor is None else os.fdopen(descriptor, "rb")

    def __reduce__(self) -> tuple:
        return _inherited, (reduction.DupFd(self.file.fileno()),)

    def add(self, value: Any) -> Place:
        start = self.file.tell()
        pickle.dump(value, self.file, pickle.HIGHEST_PROTOCOL)
        self.file.flush()
        return start, self.file.tell() - start

    def read(self, place: Place) -> Any:
        (start, size), parts = place, []
        while size:  # not by the file's own position, which all processes share
            parts.append(os.pread(self.file.fileno(), size, start))
            start, size = start + len(parts[-1]), size - len(parts[-1])
        return pickle.loads(b"".join(parts))


def _nameless() -> IO[bytes]:
    """A file without a name, on the disk; in memory where there is no temporary folder that can be written."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return os.fdopen(os.memfd_create("moola"), "w+b")


def _inherited(duplicate: Any) -> _Work:
    return _Work(duplicate.detach())


@dataclass(frozen=True)
class _Child:
    process: Any
    line: connection.Connection
    standstill: Watch


@dataclass
class _Crew:
    """The processes that have not left, those of them that have nothing to do at the moment, and what is still to be given to them."""

    work: _Work
    waiting: Iterator[Any]
    working: list[_Child]
    free: list[_Child] = field(default_factory=list)

    def heard(self) -> list[_Child]:
        """Those that have something to say, or have died; waits for one."""
        ready = connection.wait([child.line for child in self.working], LOOK_S)
        return [child for child in self.working if child.line in ready or not child.process.is_alive()]

    def give(self, *children: _Child) -> None:
        """Each of them its next item; where there will be none it leaves, and how it does is no longer of interest."""
        for child in children:
            item = next(self.waiting, _NOTHING)
            self.free = [one for one in self.free if one is not child] + ([child] if item is LATER else [])
            if item is _NOTHING:
                self.working.remove(child)
                child.line.close()
            elif item is not LATER:
                _send(child, self.work.add(item))


def _start(work: _Work, begin: Place) -> _Child:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, begin, theirs, os.getpid()), daemon=True)
    process.start()
    assert process.pid is not None  # it was started
    theirs.close()  # the child's is then the only one, and its death is the end of the line
    return _Child(process, ours, Watch(process.pid))


def _hear(child: _Child) -> tuple[str, Any]:
    """The child's next message. Raises FailedRun when it has died instead."""
    try:
        if child.process.is_alive() or child.line.poll():
            return child.line.recv()
    except (EOFError, OSError):
        pass
    raise _lost(child)


def _send(child: _Child, place: Place) -> None:
    try:
        child.line.send(place)
    except OSError:
        raise _lost(child) from None


def _lost(child: _Child) -> FailedRun:
    child.process.join(END_S)
    code = child.process.exitcode
    if code is not None and code < 0:
        how = f"killed by signal {-code}"
        hint = (
            "It was killed, most often for lack of memory: "
            "use a smaller model, or fit one at a time (training.processes=1)."
        )
    else:
        how, hint = f"exit status {code}", "Its output is in the run's log, or on standard error."
        if _starts_anew():
            hint = 'Each process imports your script first: put what starts runs below `if __name__ == "__main__":`.'
    return FailedRun(f"a process that shared the work ended on its own (pid {child.process.pid}, {how}).", hint=hint)


def _starts_anew() -> bool:
    """Whether this program is a script that does all it does again wherever it is imported."""
    path = getattr(sys.modules["__main__"], "__file__", None)
    try:
        return path is not None and path.endswith(".py") and "__main__" not in Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _refuse_standstill(children: Sequence[_Child]) -> None:
    """Raise FailedRun for a process that has done nothing for too long, which would otherwise be waited for without end."""
    for child in children:
        if child.standstill.look():
            raise FailedRun(
                f"a process that shared the work (pid {child.process.pid}) was ended: it {child.standstill.why()}.",
                hint="Finished fits are kept: resume the run, or start the command again.",
            )


def _end(children: Sequence[_Child]) -> None:
    for child in children:
        child.line.close()
        child.process.kill()
    for child in children:
        child.process.join(END_S)


def _raise(error: BaseException, where: str) -> None:
    """Raise the error of another process; where: its traceback there."""
    if where:
        error.add_note(f"In the process that it occurred in:\n{where}")
    raise error


def _serve(work: _Work, begin: Place, line: connection.Connection, parent: int) -> None:
    """The life of a child: do what the line asks for until it ends."""
    one_thread_from_start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # interrupts are its parent's business
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        _work_on(work, begin, line)
    except (EOFError, OSError):  # the parent has no more work, or is gone
        return


def _work_on(work: _Work, begin: Place, line: connection.Connection) -> None:
    try:
        with loading():
            function, emits = work.read(begin)  # which imports what the work needs
        if "torch" in sys.modules:  # without networks in it, importing torch would only cost time
            _settle_torch()
        with one_thread():  # of what the caller's own script had loaded before
            line.send((READY, None))
            while True:
                item = work.read(_next(line))
                given = (item, lambda event: line.send((EVENT, event))) if emits else (item,)
                line.send((DONE, function(*given)))
    except MoolaError as error:
        line.send((FAILED, (error, "")))
    except _NoMoreWork:
        return
    except Exception as error:
        line.send((FAILED, (_portable(error), traceback.format_exc())))
        raise SystemExit(1) from error


class _NoMoreWork(BaseException):
    """The line has ended."""


def _next(line: connection.Connection) -> Place:
    try:
        return line.recv()
    except (EOFError, OSError):
        raise _NoMoreWork from None


def _portable(error: Exception) -> Exception:
    """The error, or where it cannot cross to another process, one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except (pickle.PicklingError, TypeError, AttributeError, ValueError):
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _settle_torch() -> None:
    import torch

    from moola_core.training.device import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)
