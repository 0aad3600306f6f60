"""The search over settings for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moola_core.api import STORE, File, changes_of, data_of, execute
from moola_core.arguments import a_kind, duration_s, refuse_unknown
from moola_core.runs import Run

HOW = ("trials", "budget", "sampler", "metric", "margin", "seed")
EXAMPLE = 'Give a dict, such as {"model.dropout": {"low": 0.1, "high": 0.6}}.'


def search(
    windows: File,
    bars: File | None = None,
    space: Mapping[str, Any] | None = None,
    *,
    preset: str = "recommended",
    settings: Mapping[str, Any] | None = None,
    store: File = STORE,
    **how: Any,
) -> Run:
    """Try other settings on the same folds, and say what the best of them is expected to reach.

    Parameters
    ----------
    windows, bars : str or Path
        Files of labelled windows and, optionally, of the bars that they were cut from.
    space : mapping of str to mapping, optional
        By setting ``{"low": 0.1, "high": 0.6}``, with ``"log": True`` or a ``"step"`` where wanted, or ``{"choices": [1, 2]}``. By default
        the settings that ``moola_core.searches.SPACES`` names for the model.
    preset, settings, store
        As of :func:`finetune`: the settings of the first trial, and of all others where the space leaves them.
    **how
        ``trials`` (20), ``budget`` (seconds, or a text such as ``"30m"``), ``sampler`` (``"tpe"`` or ``"random"``), ``metric``
        (``"f1_macro"``), ``margin`` (0.02) and ``seed`` (17).

    Returns
    -------
    Run
        The finished search; ``run.result("search")["best"]`` holds the best trial with ``measured``, which is too good because the trial
        was picked, and ``expected`` with its interval.

    Raises
    ------
    SpecError, DataError
        When a setting, the space or a file is wrong; the message says how to fix it. No run is made then.
    RunError
        When no trial has a score.
    """
    from moola_core.launch.training_specs import finetune_spec
    from moola_core.searches import search_spec

    refuse_unknown(how, HOW, "search")
    if space is not None:
        a_kind(space, Mapping, "space", EXAMPLE)
    if how.get("budget") is not None:
        how["budget_s"] = duration_s(how["budget"], "budget")
    base = finetune_spec(preset, data_of(windows, bars), changes_of(settings), "", store)
    return execute(search_spec(base, space, **{name: value for name, value in how.items() if name != "budget"}), store)
