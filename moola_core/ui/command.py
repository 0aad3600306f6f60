"""The command line that does what the launch page does."""

from __future__ import annotations

import json
import shlex
from typing import Any

from moola_core.specs import Finetune
from moola_core.ui.places import shown


def command(
    spec: Finetune, changes: dict[str, tuple[Any, Any]], name: str = "", note: str = "", tags: tuple[str, ...] = ()
) -> str:
    """`moola finetune …` with the preset, each changed setting, and the run's name, note and tags, over several lines."""
    parts = [f"moola finetune --windows {shlex.quote(shown(spec.data.windows))}"]
    if spec.data.bars:
        parts.append(f"--bars {shlex.quote(shown(spec.data.bars))}")
    parts.append(f"--preset {spec.preset}")
    parts += [f"--set {shlex.quote(f'{setting}={_value(value)}')}" for setting, (_, value) in changes.items()]
    parts += [f"{flag} {shlex.quote(value)}" for flag, value in (("--name", name), ("--note", note)) if value]
    parts += [f"--tag {shlex.quote(tag)}" for tag in tags]
    return " \\\n  ".join(parts)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(list(value) if isinstance(value, tuple) else value)
