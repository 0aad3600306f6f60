"""Runs under a locale that knows ASCII alone: text is UTF-8 all the same."""

from __future__ import annotations

import os
import subprocess
import sys

from moola_core.market.settings import load_reading
from moola_core.runs.store import Store

COMMANDS = """
import sys
from moola_core.cli import main, parser
from moola_core.runs.store import Store
from moola_core.specs import Finetune
windows, store, name = sys.argv[1:]
chosen = parser().parse_args(["finetune", "--windows", windows, "--name", name, "--note", name, "--tag", name])
print(Store(store).create(Finetune(), chosen.name, chosen.note, chosen.tag).id, flush=True)
made = main(["check", windows, "--class", f"{name}=consolidation", "--save"])
sys.exit(made or main(["runs", "--store", store]))
"""


def test_a_run_named_in_umlauts_is_kept_and_shown_under_an_ascii_locale(demo_files, tmp_path):
    name, windows = "Überprüfung €", tmp_path / "windows.parquet"
    windows.write_bytes(demo_files["windows"].read_bytes())
    words = [sys.executable, "-c", COMMANDS, str(windows), str(tmp_path / "s"), name]
    ascii_alone = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONIOENCODING"} | ascii_alone
    done = subprocess.run(words, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    run_id, *shown = done.stdout.decode("utf-8").splitlines()
    record = Store(tmp_path / "s").open(run_id).record
    assert (record.name, record.note, record.tags) == (name, name, (name,))
    assert name in "\n".join(shown) and load_reading(windows).class_map == {name: "consolidation"}
