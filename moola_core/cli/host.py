"""doctor --host: what this machine offers."""

from __future__ import annotations

import argparse
import getpass
import os
import platform
import shutil
import socket
from importlib import metadata
from pathlib import Path
from typing import Any

from moola_core.cli import options
from moola_core.launch.devices import default_device

PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "numba", "scikit-learn", "streamlit", "plotly", "shap")


def add_flags(command: argparse.ArgumentParser) -> None:
    """The flags of `doctor` that ask about this machine."""
    command.add_argument("--host", action="store_true", help="look at this machine")
    command.add_argument(
        "--port", type=int, default=8501, help="the app's port, for the command that reaches it from another machine"
    )


def look(args: argparse.Namespace) -> int:
    facts = host_facts(Path(args.store))
    facts["reach"] = f"ssh -p PORT -L {args.port}:localhost:{args.port} {getpass.getuser()}@{socket.gethostname()}"
    lines = [
        f"Device: {facts['device']}",
        f"CUDA: {facts['cuda']}",
        f"Python {facts['python']}, "
        + ", ".join(f"{name} {version}" for name, version in facts["versions"].items() if version),
        f"Free disk: {facts['free_disk_gb']:.0f} GB. Store {facts['store']}: {'writable' if facts['store_writable'] else 'NOT writable'}.",
        f"From another machine: {facts['reach']}",
    ]
    facts["tuned"], table = _tuned(Path(args.store))
    options.print_result(facts, args.json, "\n".join(lines) + f"\n\n{table}")
    return 0


def _tuned(store: Path) -> tuple[dict[str, Any] | None, str]:
    """What `moola tune` measured of the device that trains, as values and in words."""
    from dataclasses import asdict

    from moola_core.cli import tune
    from moola_core.errors import MoolaError

    try:
        figures, note = tune.kept_figures(store, default_device().partition(":")[0])
    except MoolaError as error:
        return None, str(error)
    return asdict(figures), "\n\n".join(filter(None, (tune.printed(figures), note)))


def host_facts(store: Path) -> dict[str, Any]:
    """Device, CUDA, versions, cores, free disk, and whether the store can be written."""
    import torch

    from moola_core.errors import DeviceError
    from moola_core.specs import Training
    from moola_core.training.device import resolve_device

    try:
        resolved = resolve_device(Training())
        device = f"{resolved.name}, {resolved.precision}"
    except DeviceError as error:
        device = str(error)
    folder = next(path for path in (store.resolve(), *store.resolve().parents) if path.exists())
    return {
        "device": device,
        "cuda": torch.version.cuda or "this torch has none",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "free_disk_gb": shutil.disk_usage(folder).free / 1e9,
        "store": str(store),
        "store_writable": os.access(folder, os.W_OK),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
