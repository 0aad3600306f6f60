"""The named studies: which arms answer which question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moola_core.errors import SpecError, nearest
from moola_core.presets import network_preset, preset
from moola_core.specs import Arm, Finetune, Pretrain, Study, change, named, settings, settings_diff
from moola_core.specs.choices import OBJECTIVES

SCRATCH, PLACEBO, CURRENT = "from scratch", "placebo", "current"
SHUFFLED = {"sampling.shuffled": True}
# Each fit starts from the weights of the class alone, trained before on the same fold.
POINTERS, CLASS_FIRST = "pointers", "from the class alone"
CLASS_ALONE = {"model.tasks": "class", "loss.pcgrad": False}
NO_PLACEBO = (
    "There is no placebo, an encoder that was pre-trained in the same way on bars in random order: the checkpoint was given, and does not say enough "
    "to make one. Whether it is more than a better start is not asked."
)
REPEATS = 5
PROXIES = ("consol_proxy", "expansion_proxy")
SHARES = (0.25, 0.5, 0.75, 1.0)
# Of the model: these are the same in an encoder and in what is fine-tuned from it.
SHARED = ("encoder", "layers", "hidden", "normalisation")


def study(
    name: str, start: str, data: Mapping[str, Any], changes: Mapping[str, Any] | None = None, checkpoint: str = ""
) -> Study:
    """The study called `name`, its base the preset `start` on `data` with `changes`; checkpoint: an encoder that is there already.

    At least 5 repeats, unless `changes` says otherwise. What is in `changes` wins over what the study would choose, but not over what its arms
    compare: its notes then say so. Raises SpecError for an unknown name, where a study that pre-trains has no bars, and for settings or
    a checkpoint of which the study would make no use.
    """
    if name not in NAMED:
        raise SpecError(f"unknown study {name!r}.", hint=nearest(name, NAMED))
    own, before = divided(changes or {})
    _refuse_own(name, own, checkpoint)
    origin, note = (preset(start), "") if name in ANY_MODEL else network_preset(start)
    base = origin.finetune()
    base = change(base, {"training.repeats": max(base.training.repeats, REPEATS)})
    values = base.model_dump()
    values["data"] |= dict(data)
    encoder_alone = name in ENCODER_ALONE and base.model.span_statistics and STATISTICS not in own
    base = change(Finetune.model_validate(values), own | ({STATISTICS: False} if encoder_alone else {}))
    if name == "features" and MIRRORED not in own:  # only prices can be turned upside down
        base = change(base, {MIRRORED: 0.0})
    if name == "transfer":
        base = change(base, late(base, own))
    pretraining = origin.pretrain().model_dump()
    pretraining["data"] |= dict(data)
    pretraining["features"] = base.features.model_dump()
    pretraining["model"] |= {key: getattr(base.model, key) for key in SHARED}
    pretrain = change(Pretrain.model_validate(pretraining), before) if base.data.bars else None
    question, build = NAMED[name]
    if name in PRETRAINED and pretrain is None and not checkpoint:
        raise SpecError(f"the study {name} pre-trains, which needs bars.", where="data.bars", hint="Give --bars FILE.")
    arms = _controlled(name, base, pretrain, build(base, checkpoint))
    made = Study(
        name=name,
        question=question,
        base=base,
        pretrain=pretrain,
        arms=(*arms, *baselines(base)),
        against=arms[0].name,
    )
    given = NO_PLACEBO if name == "transfer" and checkpoint else ""
    first = filter(None, [note, ALONE if encoder_alone else "", given])
    return made.model_copy(update={"notes": (*first, *_without_effect(made, own, before))})


def asked(made: Study) -> dict[str, Any]:
    """The settings of a named study that its user asked for, as `study` takes them: those in which it differs from the one of its preset."""
    start, data = made.base.preset, made.base.data.model_dump(exclude_defaults=True)
    arms = {arm.changes.get("transfer.checkpoint", "") for arm in made.arms}
    checkpoint = next(iter(sorted(arms - {""})), "")

    def differing(one: Any, plain: Any) -> dict[str, Any]:
        pairs = settings_diff(one, plain) if one is not None and plain is not None else {}
        return {name: value for name, (value, _) in pairs.items() if not name.startswith("data.")}

    own = differing(made.base, study(made.name, start, data, checkpoint=checkpoint).base)
    before = differing(made.pretrain, study(made.name, start, data, own, checkpoint).pretrain)
    return own | {f"pretrain.{name}": value for name, value in before.items()}


def _controlled(name: str, base: Finetune, pretrain: Pretrain | None, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
    """The arms with their control first: the settings as they are, one of the arms where it is that, else an arm of its own.

    Where the arms are pre-trained it is the one without, or the one pre-trained as asked.
    """
    if name in PRETRAINED:
        same = [
            arm
            for arm in arms
            if pretrain is not None and arm.pretraining and change(pretrain, arm.pretraining) == pretrain
        ]
        control = same[0] if arms[0].pretraining is not None and same else arms[0]
        return (control, *(arm for arm in arms if arm is not control))
    current = [arm for arm in arms if arm.first is None and change(base, arm.changes) == base]
    control = (
        current[0].model_copy(update={"name": f"{current[0].name} ({CURRENT})"})
        if current
        else Arm(name=f"{CURRENT} settings")
    )
    return (control, *(arm for arm in arms if arm not in current))


def divided(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings that are asked for, of the base and of the pre-training, each by its dotted name."""
    of_pretraining = {name: value for name, value in changes.items() if name.startswith("pretrain.")}
    own = {name: value for name, value in changes.items() if name not in of_pretraining}
    before = {name.removeprefix("pretrain."): value for name, value in of_pretraining.items()}
    return named(own, Finetune), named(before, Pretrain)


def _refuse_own(name: str, own: Mapping[str, Any], checkpoint: str) -> None:
    """Raise SpecError for what a study decides itself, and for an encoder of which it would make no use."""
    if "estimator" in own:
        raise SpecError(
            "the study compares networks and chooses its baselines itself.",
            where=f"estimator={own['estimator']}",
            hint="Run another model alone with `moola finetune --model NAME`.",
        )
    for setting in ("transfer.checkpoint", "transfer.schedule"):
        if setting in own and name in (*PRETRAINED, POINTERS):
            raise SpecError(
                f"the arms of the study {name} set it themselves.",
                where=f"{setting}={own[setting]}",
                hint="Give --checkpoint RUN_OR_FILE."
                if (name, setting) == ("transfer", "transfer.checkpoint")
                else "Leave it out.",
            )
    if checkpoint and name != "transfer":
        instead = "To start every arm from it: --set transfer.checkpoint=RUN_OR_FILE --set transfer.schedule=full."
        raise SpecError(
            f"the study {name} makes no use of a checkpoint.",
            where="--checkpoint",
            hint="Leave it out: the study pre-trains its own encoders." if name in PRETRAINED else instead,
        )


def late(base: Finetune, own: Mapping[str, Any]) -> dict[str, Any]:
    """When the gradual schedule unfreezes: after a fifth and two fifths of the epochs, unless the user says when."""
    epochs, given = base.training.epochs, base.transfer
    last, every = max(2, epochs // 5), max(3, 2 * epochs // 5)
    if "transfer.all_epoch" in own:
        last = min(last, max(1, given.all_epoch - 1))
    if "transfer.last_layer_epoch" in own:
        every = max(every, given.last_layer_epoch + 1)
    late = {"transfer.last_layer_epoch": last, "transfer.all_epoch": every}
    return {name: value for name, value in late.items() if name not in own}


def _without_effect(made: Study, own: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence for each setting that was asked for and that some arms set otherwise, for it is what they compare."""
    notes: list[str] = []
    tuned = {arm.name: settings(made.spec_of(arm.name, "encoder")) for arm in made.arms} if own else {}
    for name, value in own.items():
        wanted = settings(made.base)[name]
        arms = [arm for arm, values in tuned.items() if values[name] != wanted]
        notes += [_overridden(f"{name}={value}", arms)] if arms else []
    encoders = {arm.name: made.pretraining_of(arm.name) for arm in made.arms}
    pretrained = {name: settings(encoder) for name, encoder in encoders.items() if encoder is not None}
    for name, value in before.items():
        if made.pretrain is None or not pretrained:
            notes.append(f"pretrain.{name}={value} has no effect: the study {made.name} pre-trains nothing.")
            continue
        wanted = settings(made.pretrain)[name]
        arms = [arm for arm, values in pretrained.items() if values[name] != wanted]
        notes += [_overridden(f"pretrain.{name}={value}", arms)] if arms else []
    return tuple(notes)


def _overridden(asked: str, arms: Sequence[str]) -> str:
    return f"{asked} has no effect in these arms, which set it themselves: {', '.join(arms)}."


def baselines(base: Finetune) -> tuple[Arm, ...]:
    """What any network must beat, on the same folds: every estimator that the base is not itself."""
    path = {"features.columns": ["price_path"]}
    arms = [
        Arm(name="locate then classify", changes={"estimator": "locate_then_classify"}),
        Arm(name="majority class", changes={"estimator": "majority"}),
        Arm(name="logistic on aggregates", changes={"estimator": "logistic"}),
        Arm(name="extra trees on prices", changes={"estimator": "extra_trees"} | path),
        Arm(name="MiniRocket on prices", changes={"estimator": "minirocket"} | path),
    ]
    return tuple(
        arm.model_copy(update={"baseline": True}) for arm in arms if arm.changes["estimator"] != base.estimator
    )


def _transfer(base: Finetune, checkpoint: str) -> tuple[Arm, ...]:
    given = {"transfer.checkpoint": checkpoint} if checkpoint else {}
    own: dict[str, Any] | None = None if checkpoint else {}
    return (
        Arm(name=SCRATCH, changes={"transfer.schedule": "none", "transfer.checkpoint": ""}),
        Arm(name="frozen", changes=given | {"transfer.schedule": "frozen"}, pretraining=own),
        Arm(name="gradual", changes=given | {"transfer.schedule": "gradual"}, pretraining=own),
        Arm(name="full", changes=given | {"transfer.schedule": "full"}, pretraining=own),
        *([] if checkpoint else [Arm(name=PLACEBO, changes={"transfer.schedule": "full"}, pretraining=SHUFFLED)]),
    )


def _arms(*named: tuple[str, dict[str, Any]]) -> Callable[[Finetune, str], tuple[Arm, ...]]:
    return lambda base, checkpoint: tuple(Arm(name=name, changes=changes) for name, changes in named)


def _objectives(base: Finetune, checkpoint: str) -> tuple[Arm, ...]:
    return (
        Arm(name="none", changes={"transfer.schedule": "none", "transfer.checkpoint": ""}),
        *(
            Arm(name=name, changes={"transfer.schedule": "full"}, pretraining={"objective.name": name})
            for name in OBJECTIVES
        ),
    )


def _pretraining_data(base: Finetune, checkpoint: str) -> tuple[Arm, ...]:
    return tuple(
        Arm(name=keep, changes={"transfer.schedule": "full"}, pretraining={"sampling.keep": keep})
        for keep in ("all", "active", "similar")
    )


def _features(base: Finetune, checkpoint: str) -> tuple[Arm, ...]:
    from moola_core.features.catalog import FEATURES

    columns = {
        "12 features": ["relativity"],
        "price path": ["price_path"],
        "both": ["relativity", "price_path"],
        "12 without the proxies": [f.name for f in FEATURES if f.name not in PROXIES],
    }
    network = [Arm(name=name, changes={"features.columns": features}) for name, features in columns.items()]
    simple = [
        Arm(name=f"logistic on {name}", changes={"features.columns": features, "estimator": "logistic"})
        for name, features in columns.items()
        if name != "12 features"
    ]
    return (*network, *simple)


def _labels(base: Finetune, checkpoint: str) -> tuple[Arm, ...]:
    return tuple(
        Arm(name=f"{share:.0%} of the labels", changes={"training.train_size": share}) for share in reversed(SHARES)
    )


def _pointers(base: Finetune, checkpoint: str) -> tuple[Arm, ...]:
    both = {} if base.model.tasks == "both" else {"model.tasks": "both"}
    return (
        Arm(name="both", changes=both),
        Arm(name=CLASS_FIRST, changes=both | {"transfer.schedule": "full"}, first=CLASS_ALONE),
    )


def _lambda(value: float) -> dict[str, Any]:
    return {"loss.weighting": "fixed", "loss.pointer_weight": value}


def _network(layers: int, hidden: int, normalisation: str = "none", dropout: float = 0.5) -> dict[str, Any]:
    sizes = {"model.layers": layers, "model.hidden": hidden, "model.dropout": dropout}
    return sizes | {"model.normalisation": normalisation}


def _pcgrad(threshold: float | None) -> dict[str, Any]:
    return {"loss.pcgrad": False} if threshold is None else {"loss.pcgrad": True, "loss.pcgrad_threshold": threshold}


NAMED: dict[str, tuple[str, Callable[[Finetune, str], tuple[Arm, ...]]]] = {
    "transfer": ("Does pre-training help or hurt, and which schedule?", _transfer),
    "losses": (
        "Is the balance of the two losses wrong?",
        _arms(
            ("uncertainty", {"loss.weighting": "uncertainty"}),
            ("λ pointer 0.5", _lambda(0.5)),
            ("λ pointer 0.7", _lambda(0.7)),
            ("λ pointer 1.0", _lambda(1.0)),
            ("equal after scaling", {"loss.weighting": "equal"}),
        ),
    ),
    "gradients": (
        "Is PCGrad needed?",
        _arms(
            ("PCGrad off", _pcgrad(None)),
            ("PCGrad at −0.3", _pcgrad(-0.3)),
            ("PCGrad at −0.1", _pcgrad(-0.1)),
            ("PCGrad at 0", _pcgrad(0.0)),
        ),
    ),
    "patience": (
        "Does training stop too early?",
        _arms(
            *((f"patience {p}", {"training.patience": p}) for p in (5, 10, 15)),
            ("no early stopping", {"training.patience": None}),
        ),
    ),
    "architectures": (
        "Is the model too large or too small?",
        _arms(
            ("1×96, dropout 0.5", _network(1, 96)),
            ("1×96, dropout 0.6", _network(1, 96, dropout=0.6)),
            ("1×96, dropout 0.7", _network(1, 96, dropout=0.7)),
            ("2×128, dropout 0.5", _network(2, 128)),
            ("1×96, layer normalisation", _network(1, 96, "layer")),
            ("1×96, batch normalisation", _network(1, 96, "batch")),
        ),
    ),
    "tasks": (
        "Do the two tasks help each other?",
        _arms(
            ("both", {"model.tasks": "both"}),
            ("class only", CLASS_ALONE),
            ("pointers only", {"model.tasks": "pointers", "loss.pcgrad": False}),
        ),
    ),
    "pointers": ("Are the pointers better added from the weights of the class alone?", _pointers),
    "features": ("Are the 12 features any good?", _features),
    "objectives": ("Which pre-training task serves the labels?", _objectives),
    "pretraining-data": ("Which bars should pre-training see?", _pretraining_data),
    "labels": ("What would more labels buy?", _labels),
}
# Of any model; the others compare networks.
ANY_MODEL = ("labels",)
PRETRAINED = ("transfer", "objectives", "pretraining-data")
# What is compared reaches the scores through the encoder alone: the statistics would answer in its place.
ENCODER_ALONE = (*PRETRAINED, "features", "architectures")
STATISTICS, MIRRORED = "model.span_statistics", "training.mirrored_frac"
ALONE = (
    f"The arms train without the span model's statistics ({STATISTICS}=false), which would answer in the encoder's place; "
    f"to compare them with the statistics, set {STATISTICS}=true."
)
