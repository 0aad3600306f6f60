"""Fitting processes end with what started them, and a lost one is an error, not a wait without end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from moola_core.errors import RunError
from moola_core.training.finetune import fit_all
from moola_core.training.folds import make_folds
from tests.training.windows import make_inputs, make_spec

ROOT = Path(__file__).parents[2]

LONG_FIT = """
import os
from moola_core.training.finetune import fit_all
from moola_core.training.folds import make_folds
from tests.training.windows import make_inputs, make_spec

if __name__ == "__main__":
    inputs, spec = make_inputs(30), make_spec(epochs=2000, processes=2, repeats=20, patience=2000)
    folds = make_folds(inputs.label, inputs.places, spec.training, spec.faults)
    for _ in fit_all(spec, inputs, folds, lambda event: print(event.type, flush=True)):
        pass
"""


def fitting(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_fitting_processes_end_when_their_parent_is_killed_or_interrupted(tmp_path, how):
    script = tmp_path / "long_fit.py"
    script.write_text(LONG_FIT)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None and b"replicate_started" in parent.stdout.readline()
    children = fitting(psutil.Process(parent.pid))
    assert len(children) == 2
    parent.send_signal(how)
    parent.wait(timeout=20)
    _, alive = psutil.wait_procs(children, timeout=15)
    parent.stdout.close()
    assert not alive
    assert parent.returncode != 0


def test_a_killed_fitting_process_is_an_error_and_ends_the_others():
    inputs, spec = make_inputs(30), make_spec(epochs=2000, processes=2, repeats=20, patience=2000)
    folds = make_folds(inputs.label, inputs.places, spec.training, spec.faults)
    killed: list[psutil.Process] = []

    def kill_one(event: object) -> None:
        if not killed:
            killed.extend(fitting(psutil.Process()))
            killed[0].kill()

    started = time.monotonic()
    with pytest.raises(RunError, match="ended on its own"):
        next(fit_all(spec, inputs, folds, kill_one))
    assert time.monotonic() - started < 60
    _, alive = psutil.wait_procs(killed, timeout=10)
    assert len(killed) == 2 and not alive
