"""How many threads numerical libraries start by themselves: one, since runs and their fits already use every core."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

# Read by a library as it is loaded.
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

WORTH_S = (
    6.0  # that processes must save for simple models to be fitted in several: to start them takes about half of it
)
LARGE_STEP = 30_000  # windows × hidden units of a step from which a recurrence gains by a second thread (docs/LOG.md)


@contextmanager
def one_thread(kind: str | None = None) -> Iterator[None]:
    """Hold the libraries that are loaded to one thread in this thread; torch too, for scikit-learn may call the OpenMP that torch brought.

    Models of a few hundred windows gain nothing from more, and on a busy host threads wait for each other (docs/LOG.md). Sums then have
    one order too, whatever the host.

    kind: ``"blas"`` for the products of NumPy and SciPy alone.
    """
    with _libraries(len(sys.modules)).limit(limits=1, user_api=kind):
        yield


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """The libraries that have threads. modules: how many modules are loaded; looking takes 3 ms, and a library comes with a module."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def several_threads_pay(recurrent: bool, hidden: int, batch_size: int) -> bool:
    """Whether a step of pre-training is faster with several threads of torch; with small steps of a recurrence they mostly wait."""
    return not recurrent or hidden * batch_size >= LARGE_STEP


def let_waiting_threads_sleep() -> None:
    """Let threads of OpenMP that wait for each other leave their core to others; where the user has set how they wait, that stays.

    They wait busily by default: beside other work two threads of a pre-training then took eight times as long as one.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def one_thread_from_start() -> None:
    """Let every library that this process still loads start with one thread."""
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
