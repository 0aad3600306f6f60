"""Runs on a Ray cluster: a local head stands for it in `make soak`, processes of this machine in `make test`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from moola_core.cli import main
from moola_core.errors import RunError
from moola_core.launch.device_worker import DeviceWorker
from moola_core.launch.local import LocalLauncher
from moola_core.launch.ray_jobs import RayLauncher
from moola_core.presets import preset
from moola_core.runs.liveness import mark_lost
from moola_core.runs.queue import Queue
from moola_core.runs.store import Run, Store
from moola_core.specs import Study, build, change

pytestmark = pytest.mark.xdist_group("ray")  # one cluster
SMALL = {"epochs": 2, "folds": 2, "repeats": 1, "hidden": 4, "processes": 1, "patience": None}
# It does so in place of the trainer where processes stand for the cluster, and trains for long on a real one.
WAITS = "waits"
LONG = {"epochs": 2000, "eval_every_epochs": 2000}
STAND_IN = Path(__file__).with_name("stand_in.py")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# Of a head's dashboard address: where other nodes join it, and its folder.
HEADS: dict[str, tuple[str, str]] = {}


class Jobs:
    """Stands for the job client of a cluster: each job is a process of this machine, one that waits trains nothing."""

    def __init__(self) -> None:
        self.jobs: dict[str, subprocess.Popen] = {}
        self.stopped: set[str] = set()

    def submit_job(self, entrypoint: str, submission_id: str, runtime_env: dict, **_: object) -> None:
        *_, worker, folder = shlex.split(entrypoint)
        assert worker == DeviceWorker.command[-1]
        if Run(Path(folder)).record.note == WAITS:
            entrypoint = "exec " + shlex.join([sys.executable, str(STAND_IN), folder])
        self.jobs[submission_id] = subprocess.Popen(
            ["bash", "-c", entrypoint],
            env=os.environ | runtime_env["env_vars"] | {"MOOLA_WORKER": ""},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def get_job_status(self, job: str) -> SimpleNamespace:
        status = self.jobs[job].poll()
        ended = "STOPPED" if job in self.stopped else "FAILED" if status else "SUCCEEDED"
        return SimpleNamespace(value="RUNNING" if status is None else ended)

    def get_job_logs(self, job: str) -> str:
        return f"{job} wrote nothing"

    def stop_job(self, job: str) -> None:
        self.stopped.add(job)
        os.killpg(self.jobs[job].pid, signal.SIGTERM)
        try:
            self.jobs[job].wait(3)  # as Ray does
        except subprocess.TimeoutExpired:
            os.killpg(self.jobs[job].pid, signal.SIGKILL)
            self.jobs[job].wait()


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.soak)])
def cluster(request, monkeypatch):
    """The address of a cluster."""
    if request.param == "ray":
        yield request.getfixturevalue("head")
        return
    jobs = Jobs()
    monkeypatch.setattr("moola_core.launch.ray_jobs._client", lambda address: jobs)
    yield "http://127.0.0.1:8265"
    for job in jobs.jobs.values():
        job.kill()


@pytest.fixture(scope="module")
def head():
    """The address of a head of its own, on ports of its own."""
    pytest.importorskip("ray")
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # its sockets' names may have 107 characters
    port, dashboard = free_port(), free_port()
    command = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--head",
        "--block",
        f"--port={port}",
        "--num-cpus=2",
        "--num-gpus=0",
        "--node-ip-address=127.0.0.1",
        "--include-dashboard=true",
        f"--dashboard-port={dashboard}",
        f"--temp-dir={folder}",
        "--object-store-memory=100000000",
        "--disable-usage-stats",
        f"--dashboard-agent-listen-port={free_port()}",
    ]
    log = Path(folder) / "head.log"
    with log.open("wb") as out:
        head = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    address, until = f"http://127.0.0.1:{dashboard}", time.monotonic() + 120
    try:
        while True:
            try:
                RayLauncher(Store(folder), address).client.list_jobs()
                break
            except (RunError, RuntimeError, ConnectionError):
                assert head.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.5)
        HEADS[address] = (f"127.0.0.1:{port}", folder)
        yield address
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        try:
            head.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def until(ready, seconds: float = 150) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.1)


def spec_of(demo_files, **changes):
    return change(preset("quick").finetune(), SMALL | {"data.windows": str(demo_files["windows"])} | changes)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", [(1,), pytest.param((1, 2), marks=pytest.mark.soak)], ids=["one", "two"])
def test_runs_go_through_and_another_is_cancelled(cluster, store, demo_files, capsys, seeds):
    launcher = RayLauncher(store, cluster)
    # No network, whose modules take seconds to load.
    quick = (spec_of(demo_files, seed=seed, reference="logistic") for seed in seeds)
    first, *others = (launcher.submit(spec) for spec in quick)
    third = launcher.submit(spec_of(demo_files, **LONG), note=WAITS)
    record = store.open(third).record
    assert record.queue["cluster"] == cluster and mark_lost(store.open(third), record).state in ("queued", "running")
    Queue(store.root).catch_up()
    assert Queue(store.root).entries() == [], "the worker of this machine leaves them alone"
    until(lambda: all(store.open(run_id).record.state == "done" for run_id in (first, *others)))
    answers = [store.open(run_id).result("evaluation")["metrics"] for run_id in (first, *others)]
    assert all(one != answers[0] for one in answers[1:])
    until(lambda: launcher.status(first) == "SUCCEEDED")

    until(lambda: store.open(third).record.state == "running")
    LocalLauncher(store).cancel(third)
    assert store.open(third).record.state == "cancelled" and launcher.status(third) in ("STOPPED", "FAILED")
    with pytest.raises(RunError, match="nothing to cancel"):
        launcher.cancel(third)
    assert main(["job", first, "--store", str(store.root), "--json"]) == 0
    assert '"job": "SUCCEEDED"' in capsys.readouterr().out


@pytest.mark.timeout(600)
def test_a_run_that_was_lost_is_resumed_there(cluster, store, demo_files):
    launcher = RayLauncher(store, cluster)
    run = store.open(launcher.submit(spec_of(demo_files, **LONG), note=WAITS))
    until(lambda: run.record.state == "running")
    launcher.cancel(run.id)
    assert run.record.process and run.claim(("cancelled",), state="lost")
    launcher.resume(run.id)
    until(lambda: run.record.state == "running")
    launcher.cancel(run.id)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("cluster", ["ray"], indirect=True)
def test_the_runs_of_a_study_go_side_by_side(cluster, store, demo_files):
    arms = [{"name": "plain"}, {"name": "layer", "changes": {"model.normalisation": "layer"}}]
    base = spec_of(demo_files, repeats=2).model_dump()
    study = build(Study, {"name": "two", "base": base, "arms": arms, "against": "plain"})
    run_id = RayLauncher(store, cluster).submit(study)
    until(lambda: not store.open(run_id).record.active)
    run = store.open(run_id)
    assert run.record.state == "done", run.record.error
    assert {row["name"] for row in run.result("comparison")["arms"]} == {"plain", "layer"}
    children = [store.open(child).record for child in run.record.facts.children.values()]
    assert len(children) == 2 and all(child.state == "done" and child.queue["job"] for child in children)
    latest_start, first_end = max(child.started for child in children), min(child.ended for child in children)
    assert latest_start < first_end, "one began before the other had ended"


@pytest.fixture
def second_node(head, tmp_path):
    """second_node(*prefix): another node of the cluster, which alone offers `extra` processors; ended with the test."""
    begun: list[subprocess.Popen] = []

    def start(*prefix: str) -> subprocess.Popen:
        at, _ = HEADS[head]
        ray = str(Path(sys.executable).with_name("ray"))
        command = [*prefix, ray, "start", "--block", f"--address={at}", "--num-cpus=2", "--num-gpus=0"]
        command += [
            f"--dashboard-agent-listen-port={free_port()}",
            "--object-store-memory=100000000",
            "--disable-usage-stats",
        ]
        log = (tmp_path / f"node{len(begun)}.log").open("wb")
        before = set(nodes(head))
        begun.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True))
        until(lambda: set(nodes(head)) - before)
        return begun[-1]

    yield start
    for node in begun:
        end(node)


def nodes(address: str) -> list[str]:
    """The ids of the nodes that are alive."""
    with urllib.request.urlopen(f"{address}/nodes?view=summary", timeout=20) as answer:
        rows = json.loads(answer.read())["data"]["summary"]
    return [row["raylet"]["nodeId"] for row in rows if row["raylet"].get("state") == "ALIVE"]


def end(node: subprocess.Popen) -> None:
    """Kill the node with all that it started."""
    family = psutil.Process(node.pid).children(recursive=True) if node.poll() is None else []
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    if node.poll() is None:
        os.killpg(node.pid, signal.SIGKILL)
    node.wait(10)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_node_that_dies_takes_its_runs_along_and_they_are_resumed_on_the_other(head, second_node, store, demo_files):
    """Two nodes, four runs: those on the node that dies are lost, and go on; those on the other end as if nothing had happened."""
    node = second_node()
    launcher = RayLauncher(store, head)
    runs = [store.open(launcher.submit(spec_of(demo_files, seed=seed, **LONG))) for seed in range(4)]
    until(lambda: all(run.record.state == "running" for run in runs), 300)
    family = {process.pid for process in psutil.Process(node.pid).children(recursive=True)}
    there = [run for run in runs if run.record.process["pid"] in family]
    assert 0 < len(there) < len(runs), "both nodes have work"
    end(node)
    until(lambda: all(launcher.status(run.id) in ("FAILED", "STOPPED") for run in there), 300)
    assert all(run.record.state == "lost" for run in there)
    assert all(run.record.state == "running" for run in runs if run not in there)
    for run in (run for run in runs if run not in there):
        launcher.cancel(run.id)
    for run in there:
        launcher.resume(run.id)
    until(lambda: all(run.record.state == "running" for run in there), 300)
    for run in there:
        launcher.cancel(run.id)
    assert all(run.record.state == "cancelled" for run in runs)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own needs root")
def test_a_node_without_the_store_ends_its_run_with_a_sentence(head, second_node, store, demo_files):
    """The second node has an empty disk where the store is: what runs there is lost with a reason, and is not queued for ever."""
    store.runs_folder.mkdir(parents=True)
    hidden = f'mount -t tmpfs none {shlex.quote(str(store.root))} && exec "$@"'
    second_node("unshare", "--mount", "sh", "-c", hidden, "node")
    launcher = RayLauncher(store, head)
    runs = [store.open(launcher.submit(spec_of(demo_files, seed=seed, **LONG))) for seed in range(4)]
    until(lambda: all(run.record.state == "running" or launcher.status(run.id) == "FAILED" for run in runs), 300)
    lost = [run for run in runs if run.record.state == "lost"]
    assert lost and all("Ray job ended without a result" in run.record.error for run in lost)
    for run in (run for run in runs if run not in lost):
        launcher.cancel(run.id)


def test_without_a_cluster_there_is_a_sentence(store, demo_files, capsys, tmp_path):
    pytest.importorskip("ray")
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(RunError, match="no Ray cluster answers"):
        RayLauncher(store, nobody)
    path = tmp_path / "spec.json"
    path.write_text(spec_of(demo_files).model_dump_json())
    assert main(["submit", str(path), "--ray", nobody, "--store", str(store.root)]) == 2
    assert "ray start --head" in capsys.readouterr().err and store.runs() == []


def test_without_ray_there_is_a_sentence(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray.job_submission", None)
    with pytest.raises(RunError, match="Ray is not installed"):
        RayLauncher(store, "http://127.0.0.1:8265")
