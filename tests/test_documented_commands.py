"""Every command of the README and of docs, as written, on small data: what they name is there, and they end without an error."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from moola_core.cli import main
from moola_core.market.demo import make_demo, write_demo
from moola_core.market.frames import bars_frame
from moola_core.runs.store import Store

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
MOOLA = ".venv/bin/moola "
NETWORK = "--set epochs=1 --set folds=2 --set repeats=1 --set processes=1"
# What makes a command small: settings behind it, by the words that it begins with. The longest that fits counts.
SMALL = {
    "finetune": "--set folds=2 --set repeats=1",
    "finetune --windows data/windows.parquet --preset quick": NETWORK,
    "finetune --windows data/windows.parquet --checkpoint": "--set epochs=21 --set folds=2 --set repeats=1 --set processes=1",
    "pretrain": "--set epochs=1 --set hidden=4 --set layers=1",
    "study": f"{NETWORK} --set epochs=3 --set pretrain.epochs=1 --set hidden=4",
    "plan": f"{NETWORK} --set epochs=3 --set hidden=4 --set layers=1 --budget 40s",
    "investigate": "--set folds=2 --set epochs=4 --set hidden=4 --set layers=1 --set processes=1 --budget 40s",
    "search": "--set folds=2 --set repeats=1 --trials 2",
    "search SPACE.json": f"{NETWORK} --set hidden=4 --trials 2",
    "submit": "",
}
ELSEWHERE = {"--ray": "tests/launch/test_ray_jobs.py", "job ": "tests/launch/test_ray_jobs.py"}
# Of many runs or windows, or twenty epochs.
LONG = (
    "study",
    "plan",
    "investigate",
    "predict",
    "power",
    "tune",
    "diagnose shift",
    "finetune --windows data/windows.parquet --checkpoint",
)


def commands() -> list[str]:
    """The commands in blocks of code, without their comments, in their order."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            lines = [line.split("  #")[0].strip() for line in block.splitlines()]
            found += [line.removeprefix(MOOLA) for line in lines if line.startswith(MOOLA)]
    return [line for line in dict.fromkeys(found) if not any(words in f"{line} " for words in ELSEWHERE)]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the files that the commands name, a store with runs, and what RUN_ID stands for."""
    folder = tmp_path_factory.mktemp("project")
    made = write_demo(folder / "data", make_demo("helpful", 20_000, 24, 3))
    shutil.move(made["bars"], folder / "data" / "nq_5years.parquet")
    table = bars_frame(make_demo("helpful", 20_000, 24, 3).bars)
    table["time"] = table["time"].dt.tz_convert("America/New_York").dt.tz_localize(None)
    table.to_csv(folder / "data" / "nq_1min.csv", index=False)
    return folder


@pytest.fixture
def run_command(project, monkeypatch, capsys, few_trees):
    monkeypatch.chdir(project)

    def run(line: str) -> None:
        parts = max((name for name in SMALL if line.startswith(name)), key=len, default="")
        status = main(shlex.split(f"{line} {SMALL.get(parts, '')}"))
        out, err = capsys.readouterr()
        assert status == 0 and "Traceback" not in err, f"moola {line}: {err or out}"

    return run


def _networks(store: Store) -> list[str]:
    """Finished runs of networks that share their folds, newest first."""
    return [
        one.run_id for one in store.runs("finetune") if one.model == "network" and one.state == "done" and not one.tags
    ]


def prepare(project: Path, line: str, run_command) -> str:
    """The command with its placeholders filled, once the runs and files that it names are there."""
    store = Store(project / "artifacts")
    if "RUN_ID" in line or "theirs.csv" in line:
        for dropout in ("0.2", "0.1")[len(_networks(store)) :]:
            run_command(
                f"finetune --windows data/windows.parquet --preset quick --set hidden=4 --set dropout={dropout}"
            )
    if "--checkpoint" in line:
        if not store.runs("pretrain"):
            run_command("pretrain --bars data/nq_5years.parquet --windows data/windows.parquet --preset recommended")
        return line.replace("RUN_ID", store.runs("pretrain")[0].run_id)
    if "SPACE.json" in line:
        (project / "SPACE.json").write_text('{"model.dropout": {"low": 0.1, "high": 0.6}}', encoding="utf-8")
    if "SPEC.json" in line:
        (project / "SPEC.json").write_text(
            json.dumps(
                {
                    "kind": "finetune",
                    "data": {"windows": str(project / "data" / "windows.parquet")},
                    "training": {"epochs": 1, "repeats": 1, "folds": 2, "processes": 1},
                    "model": {"hidden": 4},
                }
            ),
            encoding="utf-8",
        )
    if "theirs.csv" in line:
        store.open(_networks(store)[0]).predictions.drop(columns=["label", "predicted"]).to_csv(
            project / "theirs.csv", index=False
        )
    if "INVESTIGATION_ID" in line:
        if not store.runs("investigation"):
            run_command("investigate --windows data/windows.parquet --bars data/nq_5years.parquet")
        return line.replace("INVESTIGATION_ID", store.runs("investigation")[0].run_id)
    networks = _networks(store)
    if line.startswith(("compare", "join")):
        return line.replace("RUN_ID", "{}").format(*networks[:2])
    if line.startswith(("cancel", "resume")):  # a run that is there to be cancelled, and then one that was
        waiting = [
            record.run_id for record in store.runs("finetune") if record.state in ("queued", "running", "cancelled")
        ]
        return line.replace("RUN_ID", waiting[0]) if waiting else ""
    return line.replace("RUN_ID", networks[0]) if networks else line


def test_there_are_commands_to_try():
    assert len(commands()) >= 20 and any(line.startswith("import-predictions") for line in commands())


@pytest.mark.parametrize(
    "line", [line for line in commands() if not line.startswith((*LONG, "submit", "queue", "cancel", "resume"))]
)
def test_a_command_works_as_it_is_written(project, run_command, line):
    if "pdf" in line and not shutil.which("chromium"):
        pytest.skip("needs Chromium")
    run_command(prepare(project, line, run_command))


def test_a_night_of_runs_works_as_it_is_written(project, run_command):
    try:
        for line in (line for line in commands() if line.startswith(("submit", "queue", "cancel", "resume"))):
            filled = prepare(project, line, run_command)
            assert filled, line
            run_command(filled)
    finally:
        for record in Store(project / "artifacts").runs():
            if record.active:
                main(["cancel", record.run_id])


@pytest.mark.soak
@pytest.mark.parametrize("line", [line for line in commands() if line.startswith(LONG)])
def test_a_command_of_many_runs_works_as_it_is_written(project, run_command, line):
    run_command(prepare(project, line, run_command))
