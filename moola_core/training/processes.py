"""Processes that work beside this one: one thread each, deaf to interrupts, gone when their parent is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import torch

from moola_core.errors import RunError
from moola_core.training.device import keep_freed_memory


def settle(parent: int) -> None:
    """Make this process a good child: interrupts are its parent's business, and it ends when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    keep_freed_memory()
    torch.set_num_threads(1)


def each(function: Callable[[Any], Any], items: Sequence[Any], processes: int = 2) -> Iterator[Any]:
    """`function` of each item, as each is done, over at most as many processes as there are cores.

    Closing the iterator ends them. Raises RunError when one of them is killed.
    """
    processes = min(processes, os.cpu_count() or 1, len(items))
    if processes <= 1:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, settle, (os.getpid(),))
    try:
        for done in as_completed([pool.submit(function, item) for item in items]):
            yield done.result()
    except BrokenProcessPool:
        raise RunError(
            "a process ended on its own.", mend="It was killed, most often for want of memory: use a smaller model."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
