"""moola: did pre-training help or hurt a small-data model, why, and what to try next.

What the app and the command line do, Python does with the names below. They are imported when they are first used, so that
``import moola_core`` loads nothing heavy.

Examples
--------
>>> import moola_core as moola
>>> demo = moola.make_demo(bars=3_000, windows=20, seed=1)
>>> moola.bar_features(demo.bars).shape
(3000, 12)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from moola_core.host.garbage import look_less_often
from moola_core.host.threads import let_waiting_threads_sleep

let_waiting_threads_sleep()  # before anything loads OpenMP, which reads it as it is loaded
look_less_often()  # before the libraries are imported, which makes objects by the hundred thousand

__version__ = "0.1.0"

# Public name → the module that owns it.
_OWNERS = {
    "load_bars": "moola_core.market.bars",
    "load_windows": "moola_core.market.windows",
    "convert": "moola_core.market.conversion",
    "bars_from_arrays": "moola_core.market.bars",
    "windows_from_arrays": "moola_core.market.windows",
    "make_demo": "moola_core.market.demo",
    "bar_features": "moola_core.features.public",
    "window_features": "moola_core.features.public",
    "Finetune": "moola_core.specs",
    "Pretrain": "moola_core.specs",
    "Study": "moola_core.specs",
    "Investigation": "moola_core.specs",
    "preset": "moola_core.presets",
    "finetune": "moola_core.api",
    "pretrain": "moola_core.api",
    "run_study": "moola_core.api",
    "investigate": "moola_core.investigation.public",
    "Run": "moola_core.runs",
    "Store": "moola_core.runs",
    "evaluate": "moola_core.api",
    "join": "moola_core.api",
    "compare": "moola_core.api",
    "diagnose": "moola_core.api",
    "examine": "moola_core.examination",
    "import_predictions": "moola_core.api",
    "predict": "moola_core.api",
    "METRICS": "moola_core.metrics",
    "report": "moola_core.api",
    "adopt": "moola_core.adoption",
    "decide": "moola_core.history",
    "decisions": "moola_core.history",
    "search": "moola_core.searching",
}
__all__ = ["__version__", *_OWNERS]


def __getattr__(name: str) -> Any:
    if name not in _OWNERS:
        raise AttributeError(f"module 'moola_core' has no attribute {name!r}")
    value = getattr(import_module(_OWNERS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_OWNERS})
