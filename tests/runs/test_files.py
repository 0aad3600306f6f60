"""Files that are whole or absent, and no wait for one without an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from moola_core.errors import RunError, StoreError
from moola_core.presets import preset
from moola_core.runs import files, references
from moola_core.runs.store import Store

HOLD = """
import sys, time
from pathlib import Path
from moola_core.runs.files import locked
with locked(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(600)
"""

WRITES = """
import sys, time
from pathlib import Path
from moola_core.runs.files import locked, write_text
folder = Path(sys.argv[1])
with locked(folder):
    print("holds", flush=True)
    for number in range(10):
        time.sleep(0.2)
        write_text(folder / "file", str(number))
"""


def test_a_lock_of_a_process_that_writes_on_a_slow_disk_is_waited_for(tmp_path, monkeypatch):
    holder = subprocess.Popen([sys.executable, "-c", WRITES, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "holds\n"
        monkeypatch.setattr(files, "LOCK_S", 1.5)  # all its writes together take longer, one of them does not
        with files.locked(tmp_path):
            assert (tmp_path / "file").read_text() == "9"
    finally:
        holder.kill()
        holder.wait()


def test_a_lock_of_a_process_that_was_stopped_is_not_waited_for_without_an_end(tmp_path, monkeypatch):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "holds\n"
        holder.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(files, "LOCK_S", 0.3)
        began = time.monotonic()
        with pytest.raises(StoreError, match=r"writing there for more than 0\.3 s"), files.locked(tmp_path):
            pass
        assert time.monotonic() - began < 5
    finally:
        holder.kill()
        holder.wait()
    with files.locked(tmp_path):  # it ended with its holder
        pass


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "name", ["spec.json", "run.json", "events.jsonl", "log.txt", "predictions.parquet", "places.json"]
)
def test_a_pipe_in_the_place_of_a_file_is_waited_for_by_nobody(tmp_path, name):
    store = Store(tmp_path)
    run = store.create(preset("quick").finetune())
    run.update(state="done")
    (run.folder / name).unlink(missing_ok=True)
    os.mkfifo(run.folder / name)
    reads = (lambda: run.record, lambda: run.spec, run.events, run.log_text, lambda: run.table("predictions"))
    for read in (*reads, lambda: references.files(run)):
        try:
            read()
        except RunError:
            continue
    for write in (lambda: run.append_log("x"), lambda: run.append_events([{"type": "x"}])):
        try:
            write()
        except StoreError as error:
            assert name in str(error)
    assert [record.run_id for record in store.runs()] == [run.id]
    assert references.together(store, [])[0] == []
    store.delete(run.id)
    assert store.runs() == []
