"""The command line that does what the launch page does."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from moola_core.presets import preset
from moola_core.runs.record import run_of
from moola_core.runs.store import DEFAULT_STORE
from moola_core.specs import assignment
from moola_core.ui.places import display_path, store_folder


def command(
    spec: Any, changes: dict[str, tuple[Any, Any]], name: str = "", note: str = "", tags: tuple[str, ...] = ()
) -> str:
    """`moola finetune …` or `moola pretrain …` with the preset, each changed setting, and the run's name, note and tags, over several lines."""
    files = [(flag, path) for flag, path in (("--windows", spec.data.windows), ("--bars", spec.data.bars)) if path]
    files = files if spec.kind == "finetune" else files[::-1]
    parts = [f"moola {spec.kind}", *(f"{flag} {shlex.quote(display_path(path))}" for flag, path in files)]
    parts = [" ".join(parts[:2]), *parts[2:]]
    checkpoint = spec.transfer.checkpoint if spec.kind == "finetune" else ""
    if checkpoint:
        parts.append(f"--checkpoint {shlex.quote(run_of(checkpoint) or display_path(checkpoint))}")
    if checkpoint and spec.transfer.encoder_name:
        parts.append(assignment("encoder_name", spec.transfer.encoder_name))
    parts.append(f"--preset {spec.preset}")
    if spec.kind == "finetune" and spec.preset and spec.estimator != preset(spec.preset).finetune().estimator:
        parts.append(f"--model {spec.estimator}")
    parts += [assignment(setting, value) for setting, (_, value) in changes.items()]
    parts += [f"{flag} {shlex.quote(value)}" for flag, value in (("--name", name), ("--note", note)) if value]
    parts += [f"--tag {shlex.quote(tag)}" for tag in tags]
    if store_folder().resolve() != Path(DEFAULT_STORE).resolve():
        parts.append(f"--store {shlex.quote(display_path(store_folder()))}")
    return " \\\n  ".join(parts)
