"""A run whose disk is full from one of its writes on: it fails with a sentence, and once there is room it ends as it would have."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from moola_core.errors import MoolaError
from moola_core.launch import worker
from moola_core.runs.store import Store
from tests.faults.disks import spoil
from tests.faults.kills import answers, torn_files


def writes_of(root: Path, spec: Any) -> int:
    """How many writes a whole run of the spec makes."""
    store = Store(root)
    run = store.create(spec)
    with pytest.MonkeyPatch.context() as patch:
        count = spoil(patch, root, errno.ENOSPC, after=1 << 30)
        worker.run(run)
        return count()


def full_at(
    root: Path, spec: Any, at: Iterable[int], whole: Any, number: int = errno.ENOSPC
) -> tuple[Counter[str], list[str]]:
    """A run for each of these writes, from which on the disk is full; what was counted, and what is wrong.

    whole: the answers to be had; number: what the system says, ENOSPC or EDQUOT.
    """
    counts, wrong, reason = Counter[str](), [], os.strerror(number)
    for write in at:
        run = Store(root / str(write)).create(spec)
        with pytest.MonkeyPatch.context() as patch:
            spoil(patch, root / str(write), number, after=write)
            try:
                worker.run(run)
                counts["done"] += 1
            except MoolaError as error:
                counts["sentences"] += 1
                wrong += [] if reason in str(error) or "full" in str(error) else [f"{write}: {error}"]
            except Exception as error:  # noqa: BLE001 - whatever comes is what is counted
                wrong.append(f"{write}: {type(error).__name__}: {error}")
            wrong += [] if len(Store(run.store_root).runs()) == 1 else [f"{write}: not listed on the full disk"]
        wrong += torn_files(run)
        if run.record.state == "running":  # its last words found no room either; its process is this one
            run.update(state="lost")
            counts["without_last_words"] += 1
        if run.record.state != "done":
            worker.execute(run)
        wrong += [] if run.record.state == "done" and answers(run).equals(whole) else [f"{write}: other answers"]
        counts["runs"] += 1
    return counts, wrong
