"""A trainer without training: does what its run's note says. Claims, ends and dies as the real one does, and starts at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from moola_core.runs.liveness import identity
from moola_core.runs.store import Run, utcnow_iso

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"


def main(folder: str) -> None:
    run = Run(Path(folder))
    what = run.record.note
    if what == "dies before it begins":
        os._exit(3)
    worker = {"worker": os.environ["MOOLA_WORKER"]}
    assert run.claim(("queued",), state="running", started=utcnow_iso(), process=identity() | worker) is not None
    note(run, "begins")
    if what == "tells its folder":
        note(run, str(Path.cwd()))
    if what == "deaf":  # and so is the process that it starts
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        note(run, f"child {child.pid}")
        time.sleep(600)
    if what == "leaves a process":
        subprocess.Popen([sys.executable, "-c", DEAF])
        os._exit(9)
    if what == "ends slowly" and not (run.folder / "again").exists():
        (run.folder / "again").touch()
        run.update(state="cancelled")
        time.sleep(2)
        return
    if what == "waits":
        while not (run.folder / "go").exists():
            time.sleep(0.02)
    note(run, "ends")
    run.update(state="done")


def note(run: Run, what: str) -> None:
    """A line in the store's diary: what happened to which run, in the order of happening."""
    with (run.store_root / "diary").open("a") as file:
        file.write(f"{run.id} {what}\n")


if __name__ == "__main__":
    main(sys.argv[1])
