import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from moola_core.cli import main
from moola_core.runs import Store

SMALL = [f"--set={text}" for text in ("epochs=1", "repeats=1", "folds=3", "hidden=4", "processes=1")]


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
    ],
)
def test_bad_input_is_a_sentence_on_standard_error_and_status_2(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments)
    assert status == 2 and out == "" and words in err and "Traceback" not in err and err.count("\n") == 1


def test_a_bad_file_is_reported_in_the_json_too(capsys, tmp_path):
    (tmp_path / "b.csv").write_text("timestamp,open,high,low,close\n2024-01-01,1,1,1,2\n2024-01-02,1,2,1,2\n")
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


def test_submit_starts_a_run_in_the_background(capsys, demo_files, tmp_path):
    from moola_core.presets import preset
    from moola_core.specs import change

    changes = {
        "data.windows": str(demo_files["windows"]),
        "epochs": 1,
        "repeats": 1,
        "folds": 3,
        "hidden": 4,
        "processes": 1,
    }
    (tmp_path / "s.json").write_text(change(preset("quick").finetune(), changes).model_dump_json())
    status, out, _ = run(capsys, "submit", tmp_path / "s.json", "--store", tmp_path / "s", "--json")
    submitted = Store(tmp_path / "s").open(json.loads(out)["run_id"])
    until = time.monotonic() + 60
    while submitted.record.active and time.monotonic() < until:
        time.sleep(0.2)
    assert status == 0 and submitted.record.state == "done", submitted.log_text()


def test_the_host_is_described(capsys, tmp_path):
    status, out, _ = run(capsys, "doctor", "--host", "--store", tmp_path, "--json")
    found = json.loads(out)
    assert (
        status == 0
        and found["store_writable"]
        and found["versions"]["torch"]
        and "-L 8501:localhost:8501" in found["reach"]
    )


def test_an_interrupt_in_the_foreground_leaves_a_cancelled_run(demo_files, tmp_path):
    command = [
        sys.executable,
        "-m",
        "moola_core",
        "finetune",
        "--windows",
        str(demo_files["windows"]),
        "--store",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        [*command, "--preset", "quick", "--set", "epochs=2000", "--set", "patience=none"],
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and not any(record.progress.get("epoch") for record in Store(tmp_path).runs()):
        time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err
    assert Store(tmp_path).runs()[0].state == "cancelled"


def test_help_is_quick_to_load():
    check = "import sys; import moola_core.cli as c; c.parser(); print([m for m in ('torch', 'pandas', 'numba') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True).stdout.strip() == "[]"
