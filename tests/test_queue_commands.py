"""submit, queue, cancel, resume, pack, unpack and worker as commands."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import psutil
import pytest

from moola_core.cli import main
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.cancelling import asked
from moola_core.runs.liveness import identity
from moola_core.runs.queue import Queue


@pytest.fixture
def say(tmp_path, monkeypatch, capsys):
    """say("submit", …) runs a command on a store of its own and returns status, what it printed as JSON, and its errors."""
    monkeypatch.setattr("moola_core.launch.local.ensure_worker", lambda root, device="": None)
    monkeypatch.setattr("moola_core.cli.queue.CANCEL_S", 0.2)
    (tmp_path / "spec.json").write_text(preset("quick").finetune().model_dump_json())

    def command(*words: str):
        status = main([*words, "--store", str(tmp_path / "artifacts"), "--json"])
        told = capsys.readouterr()
        return status, json.loads(told.out) if told.out else None, told.err

    return command


def test_queue_pause_first_cancel_and_resume(say, tmp_path, capsys):
    spec = str(tmp_path / "spec.json")
    ids = [say("submit", spec, "--name", name)[1]["run_id"] for name in "abc"]
    assert [e["run_id"] for e in say("queue")[1]["entries"]] == ids
    assert [e["run_id"] for e in say("queue", "--run-next", ids[2])[1]["entries"]] == [ids[2], ids[0], ids[1]]
    assert say("queue", "--pause")[1]["paused"] and not say("queue", "--resume")[1]["paused"]
    assert not say("queue", "--go")[1]["paused"], "its name in earlier versions"
    assert say("cancel", ids[0])[:2] == (0, {"run_id": ids[0], "state": "cancelled"})
    assert say("cancel", ids[0])[0] == 2 and "nothing to cancel" in say("cancel", ids[0])[2]
    assert say("resume", ids[0], "--priority", "9")[1] == {"run_id": ids[0], "state": "queued"}
    assert next(e["run_id"] for e in say("queue")[1]["entries"]) == ids[0]
    assert say("resume", ids[1])[0] == 2 and say("queue", "--first", "../x")[0] == 2
    out = tmp_path / "runs.zip"
    status, made, _ = say("pack", ids[0], "--out", str(out), "--no-data")
    assert status == 0 and made["runs"] == [ids[0]] and out.is_file()
    assert main(["unpack", str(out), "--store", str(tmp_path / "other"), "--data", str(tmp_path / "data")]) == 0
    assert "added to" in capsys.readouterr().out
    assert Store(tmp_path / "other").open(ids[0]).record.state == "lost"
    assert say("pack", "20260101-000000-000-aaaa", "--out", str(out))[0] == 2


LEADER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(4)"])
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_cancel_says_so_once_all_processes_of_the_run_are_gone(say, tmp_path, monkeypatch):
    monkeypatch.setattr("moola_core.cli.queue.CANCEL_S", 30.0)
    run = Store(tmp_path / "artifacts").open(say("submit", str(tmp_path / "spec.json"))[1]["run_id"])
    assert Queue(run.store_root).take("cpu", ("auto", "cpu")) == run.id
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    leader = subprocess.Popen([sys.executable, "-c", LEADER], **pipes, text=True, start_new_session=True)
    assert leader.stdin is not None and leader.stdout is not None
    left = psutil.Process(int(leader.stdout.readline()))  # a process of the run that outlives its last words
    run.update(state="running", process=identity(leader.pid) | {"worker": "cpu"})

    def last_words() -> None:
        while not asked(run):
            time.sleep(0.01)
        run.update(state="cancelled")
        leader.stdin.close()  # it ends, and the other one goes on for a while

    threading.Thread(target=last_words, daemon=True).start()
    assert say("cancel", run.id)[:2] == (0, {"run_id": run.id, "state": "cancelled"})
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
    leader.wait()


def test_wrong_names_are_sentences(say, tmp_path, capsys):
    assert say("submit", str(tmp_path / "nothing.json"))[0] == 2
    assert main(["worker", "--device", "gpu", "--store", str(tmp_path)]) == 2
    assert "cpu, cuda:0" in capsys.readouterr().err
    assert main(["unpack", str(tmp_path / "spec.json"), "--store", str(tmp_path / "a")]) == 1
    assert "damaged" in capsys.readouterr().err
