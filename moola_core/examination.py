"""The doctor in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moola_core.arguments import a_kind, duration_s
from moola_core.runs import Run

if TYPE_CHECKING:
    from moola_core.diagnostics.results import Diagnosis


def examine(run: Run, *, budget: str | float | None = None) -> Diagnosis:
    """What went wrong in a run: the doctor's findings, causes before symptoms.

    Parameters
    ----------
    run : Run
        Any finished run.
    budget : str or float, optional
        Time for experiments that find the cause, such as ``"5m"``, or seconds: the run is fitted again with settings set back to those of
        the last healthy run on the same windows or of a preset, and on other data. Only for a cross-validated run; without it none are made.

    Returns
    -------
    Diagnosis
        ``diagnosis.findings``, each with evidence, advice and the spec of the run that fixes it; ``diagnosis.experiments``.

    Raises
    ------
    SpecError, DataError, RunError
        When it cannot be computed; the message says why.

    Examples
    --------
    >>> moola.examine(run, budget="5m").experiments.conclusion  # doctest: +SKIP
    """
    from moola_core.api import execute
    from moola_core.diagnostics.results import Diagnosis
    from moola_core.runs.codec import restore
    from moola_core.specs import Diagnose, build

    values = {
        "name": "doctor",
        "run": a_kind(run, Run, "run", "Give a Run, as moola.train gives one, or Store(...).open(id).").id,
    }
    spent = {} if budget is None else {"budget_s": duration_s(budget, "budget")}
    done = execute(build(Diagnose, values | spent, "examine"), run.store_root)
    return restore(Diagnosis, done.result("doctor"))
