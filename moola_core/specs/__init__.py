"""What is asked for: frozen, validated, JSON-serialisable descriptions of data, features, models and runs.

Small parts compose the specs of runs. A part rejects unknown keys and names the nearest known one. Field descriptions
are what the launch page shows next to each setting.
"""

from __future__ import annotations

import json
from typing import Any

from moola_core.errors import SpecError, nearest
from moola_core.specs.compare import Compare
from moola_core.specs.data import Data, Features, ReadOptions
from moola_core.specs.diagnose import Diagnose
from moola_core.specs.finetune import Faults, Finetune, Loss, Training, Transfer
from moola_core.specs.gates import Gates
from moola_core.specs.investigation import Investigation
from moola_core.specs.model import Model
from moola_core.specs.part import (
    SpecModel,
    assignment,
    build,
    change,
    full_name,
    named,
    settings,
    settings_diff,
    spec_hash,
)
from moola_core.specs.plan import Plan
from moola_core.specs.predict import Predict
from moola_core.specs.pretrain import Objective, Pretrain, PretrainFaults, Pretraining, Sampling
from moola_core.specs.report import Report
from moola_core.specs.search import Dimension, Search
from moola_core.specs.study import Arm, Study

__all__ = [
    "KINDS",
    "Arm",
    "Compare",
    "Data",
    "Diagnose",
    "Dimension",
    "Faults",
    "Features",
    "Finetune",
    "Gates",
    "Investigation",
    "Loss",
    "Model",
    "Objective",
    "Plan",
    "Predict",
    "Pretrain",
    "PretrainFaults",
    "Pretraining",
    "ReadOptions",
    "Report",
    "Sampling",
    "Search",
    "SpecModel",
    "Study",
    "Training",
    "Transfer",
    "assignment",
    "build",
    "change",
    "full_name",
    "named",
    "parse",
    "settings",
    "settings_diff",
    "spec_hash",
]

KINDS: dict[str, type[SpecModel]] = {
    "finetune": Finetune,
    "pretrain": Pretrain,
    "diagnose": Diagnose,
    "predict": Predict,
    "study": Study,
    "compare": Compare,
    "plan": Plan,
    "investigation": Investigation,
    "search": Search,
    "report": Report,
}


def parse(values: dict[str, Any] | str, where: str = "spec") -> Any:
    """A spec of any kind.

    Parameters
    ----------
    values : dict or str
        Plain values or JSON text, with a key ``kind``.
    where : str, default "spec"
        What error messages call it, such as the file that it came from.

    Returns
    -------
    Finetune, Pretrain, Diagnose, Predict, Study, Compare, Plan, Search, Investigation or Report

    Raises
    ------
    SpecError
        When it is no JSON object, has no known kind, or a setting is unknown or wrong.
    """
    if isinstance(values, str):
        try:
            values = json.loads(values)
        except json.JSONDecodeError as error:
            raise SpecError(f"not JSON: {error}.", where=where, hint="Give a JSON object with a kind.") from None
    if not isinstance(values, dict):
        raise SpecError("a spec is a JSON object.", where=where, hint='For example {"kind": "finetune"}.')
    name = str(values.get("kind", ""))
    if name not in KINDS:
        raise SpecError(f"unknown kind {name!r}.", where=where, hint=nearest(name, KINDS))
    return build(KINDS[name], values, where)
