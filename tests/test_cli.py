import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from moola_core.cli import main
from moola_core.runs import Store

pytestmark = pytest.mark.usefixtures("few_trees")
SMALL = [f"--set={text}" for text in ("epochs=1", "repeats=1", "folds=3", "hidden=4", "processes=1")]


BAD_FILES = {
    "torn.parquet": b"PAR1 and no footer",
    "list.json": b"3",
    "latin.csv": b"\xff\xfe\x00bad",
    "what.xyz": b"",
    "study.json": b'{"kind": "journey"}',
    "typo.json": b'{"kind": "finetune", "model": {"hiden": 3}}',
}


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_demo_check_and_features(capsys, tmp_path):
    status, out, _ = run(capsys, "demo", "--out", tmp_path / "d", "--bars", 20000, "--windows", 40, "--json")
    assert status == 0 and json.loads(out)["windows"] == 40
    status, out, _ = run(capsys, "check", tmp_path / "d/bars.parquet", "--json")
    found = json.loads(out)
    assert status == 0 and (found["kind"], found["rows"], found["ok"], found["problems"]) == ("bars", 20000, True, [])
    status, out, _ = run(
        capsys, "check", tmp_path / "d/windows.parquet", "--bars", tmp_path / "d/bars.parquet", "--json"
    )
    found = json.loads(out)
    assert status == 0 and found["kind"] == "windows" and found["located"] == found["rows"] == 78
    status, out, _ = run(capsys, "features", tmp_path / "d/bars.parquet", "--out", tmp_path / "f.npy", "--json")
    found = json.loads(out)
    assert found["bars"] == 20000 and len(found["columns"]) == 12 and found["seconds"] > 0
    assert np.load(tmp_path / "f.npy").shape == (20000, 12)


def test_finetune_prints_one_object_and_keeps_the_run(capsys, demo_files, tmp_path):
    where = ["--windows", demo_files["windows"], "--store", tmp_path / "s", "--preset", "quick"]
    status, out, _ = run(capsys, "finetune", *where, *SMALL, "--json", "--name", "n", "--tag", "t")
    found = json.loads(out)
    assert status == 0 and found["state"] == "done"
    wanted = {
        "f1_macro",
        "recall",
        "ece",
        "center_mae_bars",
        "center_mae_frac",
        "hit_at_3",
        "joint_at_3",
        "accuracy",
        "majority_accuracy",
        "f1",
    }
    assert wanted <= found["metrics"].keys()
    assert set(found["metrics"]["recall"]["consolidation"]) == {"mean", "std"}
    assert set(found["targets"]["f1_macro"]) >= {"target", "met"}
    assert Path(found["predictions"]).is_file()
    record = Store(tmp_path / "s").open(found["run_id"]).record
    assert record.name == "n" and record.tags == ("t",)
    status, out, _ = run(capsys, "runs", "--store", tmp_path / "s", "--json")
    assert [row["run_id"] for row in json.loads(out)] == [found["run_id"]]
    status, out, _ = run(capsys, "finetune", *where, *SMALL)
    assert "f1_macro" in out and "target > 0.6" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "none.csv"], "no such file"),
        (["features", "none.csv"], "no such file"),
        (["finetune", "--windows", "none.parquet"], "no such file"),
        (["finetune", "--windows", "x", "--preset", "stone"], "Did you mean stones"),
        (["finetune", "--windows", "x", "--set", "pateince=3"], "Did you mean patience"),
        (["finetune", "--windows", "x", "--set", "patience"], "no equals sign"),
        (["demo", "--out", "d", "--world", "lucky"], "Known: helpful"),
        (["submit", "none.json"], "cannot be read"),
        (["check", "none.csv", "--window-bars", "5"], "no such file"),
        (["demo", "--out", "d", "--seed", "-1"], "is negative"),
        (["demo", "--out", "d", "--bars", "501", "--windows", "20"], "too few episodes"),
        (["finetune", "--windows", "test_cli.py", "--set", "folds=many"], "valid integer"),
        (["finetune", "--windows", "x", "--bars", "y", "--session", "noon"], "18:00-17:00"),
        (["check", "torn.parquet"], "cannot be read"),
        (["check", "list.json"], "holds no rows"),
        (["check", "latin.csv"], "no column for label"),
        (["check", "what.xyz"], "Known endings"),
        (["submit", "torn.parquet"], "not JSON"),
        (["submit", "study.json"], "unknown kind"),
        (["submit", "typo.json"], "Did you mean hidden"),
    ],
)
def test_bad_input_is_a_sentence_on_standard_error_and_status_2(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    for name, content in BAD_FILES.items():
        Path(name).write_bytes(content)
    status, out, err = run(capsys, *arguments)
    assert status == 2 and out == "" and words in err and "Traceback" not in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('exclude_grades=["A","B","C","D"]', "all 117 windows are of a grade that is left out"),
        ("embargo_bars=100000", "no training windows left"),
        ('columns=["open_nrm"]', "Did you mean open_norm"),
    ],
)
def test_settings_that_do_not_suit_the_windows_fail_the_run_with_a_sentence(
    capsys, demo_files, tmp_path, change, words
):
    where = ["--windows", demo_files["windows"], "--store", tmp_path, "--preset", "quick"]
    status, out, err = run(capsys, "finetune", *where, *SMALL, "--set", change, "--json")
    record = Store(tmp_path).runs()[0]
    assert status == 2 and words in json.loads(out)["error"]["what"] + err and err.count("\n") == 1
    assert words in err
    assert record.state == "failed" and words in record.error


def test_a_wrong_path_leaves_no_run_behind(capsys, tmp_path):
    status, _, err = run(capsys, "finetune", "--windows", tmp_path / "none.parquet", "--store", tmp_path)
    assert status == 2 and "no such file" in err and Store(tmp_path).runs() == []


def test_an_error_of_the_program_is_one_line_and_its_traceback_is_in_the_log(capsys, demo_files, tmp_path, monkeypatch):
    from moola_core.launch.worker import finetune

    monkeypatch.setattr(finetune, "make_folds", lambda *_: 1 / 0)
    where = ["--windows", demo_files["windows"], "--store", tmp_path, "--preset", "quick"]
    status, out, err = run(capsys, "finetune", *where, *SMALL, "--json")
    failed = Store(tmp_path).open(Store(tmp_path).runs()[0].run_id)
    assert (
        status == 1
        and "ZeroDivisionError" in json.loads(out)["error"]["what"]
        and "ZeroDivisionError" in err
        and err.count("\n") == 1
    )
    assert failed.record.state == "failed" and "Traceback" in failed.log_text()


def test_a_run_without_evaluation_is_still_printed(capsys, demo_files, tmp_path, monkeypatch):
    from moola_core.launch.worker import finetune

    monkeypatch.setattr(finetune, "evaluate_run", lambda _: 1 / 0)
    where = ["--windows", demo_files["windows"], "--store", tmp_path, "--preset", "quick"]
    status, out, err = run(capsys, "finetune", *where, *SMALL, "--json")
    found = json.loads(out)
    assert status == 0 and found["state"] == "done" and found["metrics"] == {} and Path(found["predictions"]).is_file()
    assert "could not be computed" in found["warnings"][0] and "could not be computed" in err


def test_a_bad_file_is_reported_in_the_json_too(capsys, tmp_path):
    (tmp_path / "b.csv").write_text(
        "timestamp,open,high,low,close\n2024-01-01T00:00Z,1,1,1,2\n2024-01-02T00:00Z,1,2,1,2\n"
    )
    status, out, err = run(capsys, "check", tmp_path / "b.csv", "--json")
    found = json.loads(out)
    assert (
        status == 2 and not found["ok"] and "high is below the body" in found["problems"][0]["rule"] and "row 0" in err
    )


def test_reading_flags_are_used_and_saved(capsys, tmp_path):
    (tmp_path / "b.csv").write_text(
        "when,open,high,low,close\n" + "".join(f"2024-01-02 10:0{i},1,1,1,1\n" for i in range(5))
    )
    arguments = ["check", tmp_path / "b.csv", "--column", "time=when", "--tz", "America/New_York", "--json"]
    status, out, _ = run(capsys, *arguments, "--save")
    assert status == 0 and json.loads(out)["from"] == "2024-01-02T15:00:00"
    status, out, _ = run(capsys, "check", tmp_path / "b.csv", "--json")
    assert json.loads(out)["from"] == "2024-01-02T15:00:00"


def test_submit_starts_a_run_in_the_background_in_a_session_of_its_own(capsys, demo_files, tmp_path):
    from moola_core.presets import preset
    from moola_core.specs import change

    # No network: what is trained is the same in the foreground, and its modules take seconds to load.
    changes = {"data.windows": str(demo_files["windows"]), "repeats": 1, "folds": 3, "reference": "majority"}
    (tmp_path / "s.json").write_text(change(preset("quick").finetune(), changes).model_dump_json())
    status, out, _ = run(capsys, "submit", tmp_path / "s.json", "--store", tmp_path / "s", "--json")
    submitted = Store(tmp_path / "s").open(json.loads(out)["run_id"])
    until, sessions = time.monotonic() + 200, set()
    while submitted.record.active and time.monotonic() < until:
        if submitted.record.state == "running":
            with suppress(ProcessLookupError):
                sessions.add(os.getsid(submitted.record.process["pid"]))
        time.sleep(0.1)
    assert status == 0 and submitted.record.state == "done", submitted.log_text()
    assert submitted.result("evaluation")["windows"] == 60
    assert sessions == {submitted.record.process["pid"]} and os.getsid(0) not in sessions


def test_the_host_is_described(capsys, tmp_path):
    status, out, _ = run(capsys, "doctor", "--host", "--store", tmp_path, "--json")
    found = json.loads(out)
    assert (
        status == 0
        and found["store_writable"]
        and found["versions"]["torch"]
        and "-L 8501:localhost:8501" in found["reach"]
    )


def test_an_interrupt_in_the_foreground_leaves_a_cancelled_run(capsys, demo_files, tmp_path):
    ended = threading.Event()

    def interrupt() -> None:
        while not ended.wait(0.05):
            if any(record.progress.get("epoch") for record in Store(tmp_path).runs()):
                os.kill(os.getpid(), signal.SIGINT)
                return

    thread = threading.Thread(target=interrupt)
    thread.start()
    long = ["--set=epochs=2000", "--set=patience=none", "--set=hidden=4", "--set=processes=1"]
    try:
        where = ["--windows", demo_files["windows"], "--store", tmp_path, "--preset", "quick"]
        status, _, err = run(capsys, "finetune", *where, *long)
    finally:
        ended.set()
        thread.join()
    assert status == 130 and "Traceback" not in err
    assert Store(tmp_path).runs()[0].state == "cancelled"


def test_help_is_quick_to_load():
    check = "import sys; import moola_core.cli as c; c.parser(); print([m for m in ('torch', 'pandas', 'numba') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            "finetune --data w.parquet --epochs 20 --use-pcgrad",
            "finetune --windows w.parquet --set epochs=20 --set pcgrad=true",
        ),
        (
            "finetune --data=w.parquet --batch-size=16 --n-folds 5",
            "finetune --windows w.parquet --set batch_size=16 --set folds=5",
        ),
        ("pretrain --config c.yaml --data b.parquet --lr 1e-3", "pretrain --bars b.parquet --set learning_rate=1e-3"),
        ("features --data b.csv --window-length 105 --warmup-bars 20", "features b.csv --window-bars 105"),
    ],
)
def test_flags_of_the_predecessors_scripts_are_answered_with_the_command_that_does_it(capsys, theirs, ours):
    with pytest.raises(SystemExit) as end:
        main(theirs.split())
    assert end.value.code == 2 and f"Use: moola {ours}\n" in capsys.readouterr().err


def test_a_wrong_flag_that_is_nobodys_gets_no_such_answer(capsys):
    with pytest.raises(SystemExit):
        main(["finetune", "--windoes", "w.parquet"])
    assert "predecessor" not in capsys.readouterr().err
