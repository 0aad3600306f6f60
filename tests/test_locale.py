"""Runs under a locale that knows ASCII alone: text is UTF-8 all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd

from moola_core.market.settings import load_reading
from moola_core.market.windows import load_windows
from moola_core.runs.store import Store

COMMANDS = """
import sys
from moola_core.cli import main
from moola_core.launch.worker import diagnose
diagnose.OF_RUN.clear()  # they take most of the time
table, windows, store, name = sys.argv[1:]
reading = ["--class", f"{name}=consolidation", "--save"]
made = main(["import-predictions", table, "--windows", windows, "--store", store, "--name", name, "--json", *reading])
sys.exit(made or main(["runs", "--store", store]))
"""


def test_a_run_named_in_umlauts_is_kept_and_shown_under_an_ascii_locale(demo_files, tmp_path):
    kept = load_windows(demo_files["windows"]).trainable()[0]
    columns = {"window_id": kept.window_id, "fold": np.arange(len(kept)) % 3, "p_consolidation": 0.4}
    pd.DataFrame(columns | {"p_retracement": 0.6}).to_csv(tmp_path / "theirs.csv", index=False)
    windows = tmp_path / "windows.parquet"
    windows.write_bytes(demo_files["windows"].read_bytes())
    words = [tmp_path / "theirs.csv", windows, tmp_path / "s", "Überprüfung €"]
    ascii_alone = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"} | ascii_alone
    done = subprocess.run([sys.executable, "-c", COMMANDS, *map(str, words)], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    out = done.stdout.decode("utf-8")
    run_id = json.loads(out.splitlines()[0])["run_id"]
    assert "Überprüfung €" in "".join(out.splitlines()[1:])
    assert Store(tmp_path / "s").open(run_id).record.name == "Überprüfung €"
    assert load_reading(windows).class_map == {"Überprüfung €": "consolidation"}
