"""Shared set-up: one `--device` option runs the same tests on a CPU or a CUDA card."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))
# Where the tests run in the background of a shell, it ignores interrupts, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", choices=("cpu", "cuda"), help="the processor that training tests use")


def pytest_configure() -> None:
    """Keep temporary files in memory where 4 GB are free: to replace a file there takes a fifth of the time that it takes on a disk."""
    memory = Path("/dev/shm")
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and os.access(memory, os.W_OK | os.X_OK):
        there = os.statvfs(memory)
        if there.f_bavail * there.f_frsize > 4e9 and not there.f_flag & os.ST_NOEXEC:  # tests write programs too
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(memory)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage among what is imported: each look goes through all of it, which takes half the time of collecting tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker run the tests of a file, whose fixtures are otherwise made by each; browser tests of all files stay together."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Streamlit's test runner leaves its script as the main module, which every process that is spawned later would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(autouse=True)
def own_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user is told a sentence; a test is to fail."""
    monkeypatch.setenv("MOOLA_TRACEBACK", "1")


@pytest.fixture(autouse=True)
def quiet_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates follow how busy the host is, which changes while tests run."""
    from moola_core.host import busy

    monkeypatch.setattr(busy, "stretch", lambda: 1.0)


@pytest.fixture(autouse=True)
def runs_of_a_study_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """To start processes takes longer than the small runs of a test; tests of runs side by side undo it."""
    from moola_core.launch.estimate import concurrency

    monkeypatch.setattr(concurrency, "WORTH_S", float("inf"))


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """Nothing may leave torch with more threads than it had: on busy cores two of them take many times as long as one."""
    yield
    if "torch" in sys.modules:
        left = sys.modules["torch"].get_num_threads()
        assert left == THREADS, "the number of torch's threads was changed and not given back"


@pytest.fixture(scope="session", autouse=True)
def packages_are_read_once() -> Iterator[None]:
    """Every run of Streamlit's test runner looks for components in the descriptions of all installed packages: a third of a second each."""
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session", autouse=True)
def pages_are_compiled_once() -> Iterator[None]:
    """Every AppTest compiles the app and its page anew, as a server does once, and asks a thousand times a second whether its script has ended."""
    from streamlit.testing.v1 import local_script_runner as runners

    compiled, wait = runners.ScriptCache(), runners.require_widgets_deltas

    def wait_for_the_thread(runner: runners.LocalScriptRunner, timeout: float = 3) -> None:
        if runner._script_thread is not None:
            runner._script_thread.join(timeout)
        wait(runner, timeout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runners, "ScriptCache", lambda: compiled)
        patch.setattr(runners, "require_widgets_deltas", wait_for_the_thread)
        yield


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> str:
    """The processor asked for; without a usable card the CUDA tests skip."""
    name = request.config.getoption("--device")
    if name == "cuda":
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no usable CUDA device")
        torch.backends.cudnn.allow_tf32 = False  # float32 is compared with float32
    return name


# What is computed of a run beside its fits, smaller: it takes most of the time of a small one. tests/diagnostics and tests/training have the whole of it.
SMALLER = {
    "moola_core.estimators.extra_trees.TREES": 20,
    "moola_core.diagnostics.shift.NULL_DRAWS": 10,
    "moola_core.diagnostics.calibration.DRAWS": 200,
    "moola_core.diagnostics.calibration.INVERTED": 100,
    "moola_core.training.audit.STEPS": 1,
}


@contextmanager
def smaller_diagnostics() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, size in SMALLER.items():
            patch.setattr(name, size)
        yield


@pytest.fixture
def few_trees() -> Iterator[None]:
    """The trees and draws of the diagnostics of a run, fewer."""
    with smaller_diagnostics():
        yield


@contextmanager
def nothing_examined() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moola_core.launch.worker.diagnose.store_all", lambda run, material: None)
        patch.setattr("moola_core.launch.worker.doctor.store", lambda run: None)
        yield


@pytest.fixture
def unexamined() -> Iterator[None]:
    """Runs end once they are evaluated: what else is computed of them takes two thirds of the time of a small one.

    For tests of what was fitted, with what and how it compares, where another test of the file has such a run whole.
    """
    with nothing_examined():
        yield


class Unsynchronised(sqlite3.Connection):
    """Waits for no disk, from its first statement on."""

    told = False

    def execute(self, statement: str, *given: Any) -> sqlite3.Cursor:
        if not self.told:
            self.told = True
            super().execute("PRAGMA synchronous=OFF")
        return super().execute(statement, *given)


@pytest.fixture(scope="session", autouse=True)
def disk_is_not_waited_for() -> Iterator[None]:
    """No test cuts the power: that bytes reach the disk before a file is renamed costs a tenth of the time and shows nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: os.fstat(descriptor) and None)
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Unsynchronised))
        yield


@pytest.fixture(scope="session", autouse=True)
def versions_are_read_once() -> Iterator[None]:
    """Each run asks for the project's commit and for the versions of its packages, which stay the same while tests run."""
    from importlib import metadata

    from moola_core.launch import worker

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "version", cache(metadata.version))
        patch.setattr(worker, "_commit", cache(worker._commit))
        yield


@pytest.fixture(scope="session")
def demo():
    """A small demo market of the helpful world."""
    from moola_core.market.demo import make_demo

    return make_demo("helpful", bars=20_000, windows=60, seed=3)


@pytest.fixture(scope="session")
def demo_files(demo, tmp_path_factory):
    """Paths of that demo market's files: bars, windows, truth."""
    from moola_core.market.demo import write_demo

    return write_demo(tmp_path_factory.mktemp("demo"), demo)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
