"""Runs in processes of their own that end once they are evaluated: what a test takes away of a module is still there in another process."""

from __future__ import annotations

from multiprocessing import parent_process

from moola_core.launch import worker

EXECUTE = worker.execute


def execute(child, listen=None) -> None:
    if parent_process() is not None:
        worker.diagnose.store_all = worker.doctor.store = lambda *_: None
    EXECUTE(child, listen)
