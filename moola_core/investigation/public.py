"""An investigation in Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moola_core.runs.store import Run


def investigate(
    windows: str | Path,
    bars: str | Path | None = None,
    *,
    budget_s: float = 900.0,
    goal: str = "",
    settings: Mapping[str, Any] | None = None,
    store: str | Path = "artifacts",
) -> Run:
    """From data to a conclusion: experiments chosen one after another within a budget of time.

    Parameters
    ----------
    windows : str or Path
        Labelled windows.
    bars : str or Path, optional
        The bars that they were cut from; without them no question on pre-training is asked.
    budget_s : float, default 900
        Seconds to spend; a fit that is running may end.
    goal : str, optional
        What you need, such as ``"hit_at_3 > 0.6"``; without one the model is chosen by the share of windows whose class is right and whose
        center is within 3 bars, or by macro F1 where no window has an expansion.
    settings : mapping of str to Any, optional
        Your settings by their names, ``pretrain.KEY`` for pre-training and ``gates.KEY`` for thresholds of your own rules; ``preset``,
        ``checkpoint`` and ``order`` too: ``"phases"`` asks in the order of the researcher's plan, as ``moola plan`` does.
    store : str or Path, default "artifacts"
        Folder of the runs.

    Returns
    -------
    Run
        Its result ``"investigation"`` holds the conclusion, the recommended model and every step.

    Raises
    ------
    DataError, SpecError
        When nothing can be learned from the windows, or the budget is shorter than the shortest question.

    Examples
    --------
    >>> run = moola.investigate("windows.parquet", "bars.parquet", budget_s=300)  # doctest: +SKIP
    >>> for statement in run.result("investigation")["conclusion"]:  # doctest: +SKIP
    ...     print(statement["text"])
    """
    from moola_core.api import data_of, execute
    from moola_core.specs import Investigation, build, change

    changes = dict(settings or {})
    own = {name: changes.pop(name) for name in ("preset", "checkpoint", "order") if name in changes}
    rules = {name: changes.pop(name) for name in [*changes] if name.startswith("gates.")}
    values = {"data": data_of(windows, bars), "budget_s": budget_s, "goal": goal, "changes": changes}
    return execute(change(build(Investigation, own | values, "investigate"), rules), store, name="investigation")
