"""What is asked for: frozen, validated, JSON-serialisable descriptions of data, features, models and runs.

Small parts compose the specs of runs. A part rejects unknown keys and names the nearest known one. Field descriptions
are what the launch page shows beside each setting.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from moola_core.errors import SpecError, nearest


class Part(BaseModel):
    """A frozen piece of a spec."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Reading(Part):
    """How a file of bars or labelled windows is to be understood; saved beside it as `<name>.moola.json`."""

    column_map: dict[str, str] = Field({}, description="our column name to the file's, where they differ")
    class_map: dict[str, str] = Field({}, description="label in the file to class name, where they differ")
    tz: str | None = Field(None, description="time zone of naive times in the file; UTC is assumed when empty")
    exchange_tz: str = Field("America/New_York", description="time zone in which times are shown")
    session: tuple[str, str] = Field(("18:00", "17:00"), description="session open and close, exchange time")
    window_bars: int | None = Field(
        None, ge=10, le=500, description="window length in bars; read from the file when empty"
    )
    repair: Literal["refuse", "drop"] = Field("refuse", description="refuse bad rows, or drop and report them")
    max_gap_bars: int = Field(10, ge=1, description="a longer hole between bars is a gap")


class Data(Part):
    windows: str = Field("", description="file of labelled windows")
    bars: str | None = Field(None, description="file of bars that the windows were cut from")
    windows_reading: Reading = Field(Reading(), description="how the file of windows is read")
    bars_reading: Reading = Field(Reading(), description="how the file of bars is read")
    grades_left_out: tuple[str, ...] = Field(("D",), description="grades that take no part in training")


class Features(Part):
    columns: tuple[str, ...] = Field(
        ("relativity",), min_length=1, description="feature names, or the groups relativity (12) and price_path (4)"
    )
    state: Literal["restarted", "continuous"] = Field(
        "restarted", description="swing state starts at each window's first bar, or runs on over the bars (needs bars)"
    )
    standardise: bool = Field(True, description="centre and scale each feature, fitted on the training folds")


class Model(Part):
    layers: int = Field(1, ge=1, le=4, description="BiLSTM layers")
    hidden: int = Field(96, ge=4, le=512, description="hidden units per direction")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout between layers and before the heads")
    pooling: Literal["mean", "last", "attention"] = Field("mean", description="how positions become one vector")
    trunk_width: int = Field(
        0, ge=0, le=1024, description="width of a linear layer with ReLU shared by both heads; 0 for none"
    )
    normalisation: Literal["none", "layer", "batch"] = Field("none", description="normalisation after the encoder")
    pointer: Literal["pooled", "positions"] = Field(
        "pooled",
        description="read the expansion from the pooled vector, or as the mean position under a learned weight",
    )
    tasks: Literal["both", "class", "pointers"] = Field("both", description="which heads are trained")


class Loss(Part):
    weighting: Literal["uncertainty", "fixed", "equal", "dwa"] = Field(
        "uncertainty",
        description="how the two losses are added: learned, fixed λ, divided by the first epoch's, or by their rate of fall",
    )
    lambda_class: float = Field(1.0, ge=0, description="weight of the class loss when fixed")
    lambda_pointer: float = Field(1.0, ge=0, description="weight of the pointer loss when fixed")
    focal_gamma: float = Field(0.0, ge=0, le=5, description="focal loss exponent; 0 is plain cross-entropy")
    huber_delta: float = Field(
        0.08, gt=0, le=1, description="where the pointer loss turns linear, fraction of the window"
    )
    log_variance_rate: float = Field(1e-3, ge=0, le=1, description="learning rate of log σ²")
    pcgrad: bool = Field(False, description="project conflicting gradients off each other")
    pcgrad_threshold: float = Field(
        0.0, ge=-1, le=1, description="project when the cosine is below this; 0 is the paper's"
    )


class Training(Part):
    epochs: int = Field(60, ge=1, le=2000, description="most epochs of one fit")
    batch: int = Field(29, ge=1, le=4096, description="windows in a step")
    learning_rate: float = Field(3e-4, ge=0, le=1, description="AdamW learning rate")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="AdamW weight decay")
    clip_norm: float = Field(1.0, gt=0, description="largest gradient norm")
    patience: int | None = Field(15, ge=1, description="epochs without improvement before stopping; empty for never")
    monitor: Literal["loss", "f1_macro"] = Field("loss", description="what the inner split chooses the epoch by")
    jitter_std: float = Field(
        0.0, ge=0, le=10, description="noise added to the network's inputs in training, in their units"
    )
    folds: int = Field(5, ge=2, le=20, description="outer folds")
    repeats: int = Field(
        1, ge=1, le=200, description="repeats of the cross-validation, each with new folds and weights"
    )
    inner_frac: float = Field(0.2, gt=0, lt=0.5, description="share of the training folds kept for early stopping")
    embargo_bars: int = Field(0, ge=0, le=100000, description="bars kept free between training and test windows")
    seed: int = Field(17, ge=0, le=2**31 - 1, description="seed of every random stream")
    monitor_every: int = Field(5, ge=1, description="epochs between full measurements on the inner split")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="processor that trains")
    precision: Literal["auto", "float32", "bf16"] = Field("auto", description="arithmetic; auto is bf16 on CUDA")
    processes: int = Field(0, ge=0, le=64, description="fits at a time on CPU; 0 uses two where there are two cores")


class Faults(Part):
    """Switches that only plant a fault, for testing the tool and for the runs that it was built to explain."""

    extra_output: int = Field(0, ge=0, le=10, description="outputs of the class head beyond the classes")
    shuffled_folds: bool = Field(False, description="plain shuffled folds: windows that share bars are torn apart")
    test_fold_selection: bool = Field(False, description="early stopping and the epoch are chosen on the test fold")
    shuffled_labels: bool = Field(False, description="labels of training and inner windows are permuted")
    accumulated_gradients: bool = Field(False, description="raw gradients are added back to the projected ones")


class Finetune(Part):
    """A cross-validated fit of the model to labelled windows."""

    kind: Literal["finetune"] = "finetune"
    preset: str = Field("", description="the preset that the settings started from")
    data: Data = Data()
    features: Features = Features()
    model: Model = Model()
    loss: Loss = Loss()
    training: Training = Training()
    faults: Faults = Faults()

    @model_validator(mode="after")
    def _consistent(self) -> Finetune:
        if self.features.state == "continuous" and not self.data.bars:
            raise ValueError("features.state=continuous needs data.bars; give a file of bars or use restarted")
        if self.loss.pcgrad and self.model.tasks != "both":
            raise ValueError("loss.pcgrad needs both tasks; set model.tasks=both or loss.pcgrad=false")
        return self


KINDS: dict[str, type[Part]] = {"finetune": Finetune}


def build(kind: type[Part], values: dict[str, Any], where: str = "") -> Any:
    """Make a part from plain values. Raises SpecError that names each wrong field, its rule and the nearest known name."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SpecError(_explain(kind, error), where=where) from None


def parse(values: dict[str, Any] | str, where: str = "spec") -> Any:
    """A spec of any kind from a dict or JSON text with a `kind` key."""
    if isinstance(values, str):
        try:
            values = json.loads(values)
        except json.JSONDecodeError as error:
            raise SpecError(f"not JSON: {error}.", where=where, mend="Give a JSON object with a kind.") from None
    if not isinstance(values, dict):
        raise SpecError("a spec is a JSON object.", where=where, mend='For example {"kind": "finetune"}.')
    name = str(values.get("kind", ""))
    if name not in KINDS:
        raise SpecError(f"unknown kind {name!r}.", where=where, mend=nearest(name, KINDS))
    return build(KINDS[name], values, where)


def settings(spec: Part | type[Part], prefix: str = "") -> dict[str, Any]:
    """Every leaf setting by its dotted name: values of a spec, or the `FieldInfo` of a type of spec."""
    kind = spec if isinstance(spec, type) else type(spec)
    leaves: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Part):
            leaves |= settings(inner if isinstance(spec, type) else getattr(spec, name), f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = field if isinstance(spec, type) else getattr(spec, name)
    return leaves


def change(spec: Any, changes: dict[str, Any]) -> Any:
    """A copy of `spec` with settings changed, each by its dotted name or, where it is unique, its last name.

    Values given as text (from `--set`) are read as JSON where that works, and as text otherwise.
    """
    values = spec.model_dump()
    for name, value in changes.items():
        *path, last = _full_name(name, type(spec)).split(".")
        place = values
        for step in path:
            place = place[step]
        place[last] = _read(value) if isinstance(value, str) else value
    return build(type(spec), values)


def differences(a: Any, b: Any) -> dict[str, tuple[Any, Any]]:
    """The settings in which two specs of a kind differ: name to both values."""
    left, right = settings(a), settings(b)
    return {name: (left.get(name), right.get(name)) for name in left | right if left.get(name) != right.get(name)}


def digest(part: Part) -> str:
    """A short hash of a part's content: equal parts have equal digests."""
    return hashlib.sha256(json.dumps(part.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:16]


def _full_name(name: str, kind: type[Part]) -> str:
    known = settings(kind)
    if name in known:
        return name
    matches = [full for full in known if full.rsplit(".", 1)[-1] == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SpecError(f"setting {name} is not unique.", mend=f"Use one of {', '.join(matches)}.")
    short = [full.rsplit(".", 1)[-1] for full in known]
    raise SpecError(
        f"unknown setting {name}.", mend=nearest(name, [*known, *short] if "." not in name else list(known))
    )


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"none": None, "true": True, "false": False}.get(text.lower(), text)


def _explain(kind: type[Part], error: ValidationError) -> str:
    known = settings(kind)
    lines = []
    for problem in error.errors():
        name = ".".join(str(step) for step in problem["loc"]) or "spec"
        if problem["type"] == "extra_forbidden":
            parent = name.rpartition(".")[0]
            siblings = {
                full[len(parent) + 1 if parent else 0 :].split(".")[0] for full in known if full.startswith(parent)
            }
            lines.append(f"unknown setting {name}. {nearest(name.rpartition('.')[2], sorted(siblings))}")
        elif problem["type"] == "value_error":
            lines.append(problem["msg"].removeprefix("Value error, ") + ".")
        else:
            lines.append(f"{name}={problem['input']!r}: {problem['msg'][:1].lower()}{problem['msg'][1:]}.")
    return " ".join(lines)
