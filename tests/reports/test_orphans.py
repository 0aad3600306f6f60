"""An export ends with whoever asked for it, its browser too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from moola_core.errors import ReportError, StoreError
from moola_core.reports.formats import chromium
from moola_core.runs.files import SCRATCH, scratch
from tests.faults.kills import ROOT, wait_for

MARK = "MOOLA_EXPORT_TEST"
# A browser that draws for ever, in the place of Chromium.
BROWSER = "#!/bin/sh\nexec sleep 600\n"
ASK = """
import sys
from moola_core.reports.export import export
from moola_core.runs.store import Run
from pathlib import Path
print("asks", flush=True)
export(Run(Path(sys.argv[1])), "pdf", sys.argv[2])
"""


def processes(mark: str) -> list[psutil.Process]:
    met = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                met.append(process)
        except psutil.Error:
            continue
    return met


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_export_whose_asker_is_killed_leaves_no_process(full_run, tmp_path, how):
    browser, mark = tmp_path / "bin" / "chromium", uuid.uuid4().hex
    browser.parent.mkdir()
    browser.write_text(BROWSER)
    browser.chmod(0o755)
    path = {"PATH": f"{browser.parent}{os.pathsep}{os.environ['PATH']}", MARK: mark}
    command = [sys.executable, "-c", ASK, str(full_run.folder), str(tmp_path / "r.pdf")]
    asker = subprocess.Popen(command, cwd=ROOT, env=os.environ | path, stdout=subprocess.PIPE, text=True)
    assert asker.stdout is not None and asker.stdout.readline() == "asks\n"
    assert wait_for(lambda: any("sleep" in process.name() for process in processes(mark)), 60)
    asker.send_signal(how)
    asker.wait(10)
    assert wait_for(lambda: not processes(mark), 30), [process.cmdline() for process in processes(mark)]
    assert not (tmp_path / "r.pdf").exists()


def test_a_page_that_is_never_drawn_is_a_sentence(tmp_path, monkeypatch):
    browser = tmp_path / "chromium"
    browser.write_text(BROWSER)
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(chromium, "PAGE_S", 0.5)
    with pytest.raises(ReportError, match="had not drawn"):
        chromium.print_pdf("<p>x", tmp_path / "x.pdf")


def test_what_the_browser_leaves_lies_in_the_folder_that_is_taken_away(tmp_path, monkeypatch):
    browser = tmp_path / "chromium"
    browser.write_text('#!/bin/sh\necho "$TMPDIR"\n')
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    place = Path(chromium._run("<p>x").strip())
    assert place.name.startswith(f"{SCRATCH}{os.getpid()}-") and not place.exists()


def test_temporary_folders_that_killed_processes_left_are_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = subprocess.Popen(["true"])
    dead.wait()
    for number in (dead.pid, os.getpid()):
        (tmp_path / f"{SCRATCH}{number}-x").mkdir()
        (tmp_path / f"{SCRATCH}{number}-x" / "page.html").write_text("")
    with scratch() as folder:
        assert folder.parent == tmp_path and folder.is_dir()
        assert not (tmp_path / f"{SCRATCH}{dead.pid}-x").exists() and (tmp_path / f"{SCRATCH}{os.getpid()}-x").exists()
    assert not folder.exists()


def test_a_missing_temporary_folder_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(StoreError, match="no temporary folder"), scratch():
        pass
