import re

import pytest

from moola_core.errors import SpecError
from moola_core.presets import PRESETS, preset
from moola_core.specs import (
    Arm,
    Finetune,
    Pretrain,
    Study,
    build,
    change,
    full_name,
    parse,
    settings,
    settings_diff,
    spec_hash,
)
from moola_core.specs.aliases import SETTING_VALUES, SETTINGS


def test_a_spec_survives_json():
    for name in PRESETS:
        spec = preset(name).finetune()
        assert parse(spec.model_dump_json()) == spec
        assert spec_hash(parse(spec.model_dump_json())) == spec_hash(spec)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"training": {"pateince": 3}}, ["training.pateince", "patience"]),
        ({"trainign": {}}, ["trainign", "training"]),
        ({"training": {"epochs": 0}}, ["training.epochs=0", "greater than or equal to 1"]),
        ({"model": {"pooling": "max"}}, ["model.pooling", "attention"]),
        ({"features": {"state": "streaming"}}, ["data.bars"]),
        ({"loss": {"pcgrad": True}, "model": {"tasks": "class"}}, ["model.tasks=both"]),
        ({"model": {"span_statistics": True}}, ["pointer=regression", "model.pointer=span"]),
        ({"model": {"span_statistics": True, "pointer": "span"}}, ["price_path", "model.span_statistics=false"]),
        ({"training": {"mirrored_frac": 0.5}}, ["price_path", "training.mirrored_frac=0"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(values, words):
    with pytest.raises(SpecError) as caught:
        build(Finetune, values)
    for word in words:
        assert word in str(caught.value)


def test_unique_last_names_are_enough_and_others_are_not():
    spec = preset("quick").finetune()
    assert change(spec, {"patience": "none"}).training.patience is None
    assert change(spec, {"model.hidden": "64"}).model.hidden == 64
    with pytest.raises(SpecError, match="not unique"):
        change(spec, {"tz": "UTC"})
    with pytest.raises(SpecError, match="Did you mean dropout"):
        change(spec, {"dropuot": 0.1})


def test_every_setting_has_a_description():
    assert [name for name, field in settings(Finetune).items() if not field.description] == ["kind"]


def test_differences_name_what_changed():
    spec = preset("quick").finetune()
    assert settings_diff(spec, change(spec, {"epochs": 7})) == {"training.epochs": (spec.training.epochs, 7)}


def test_unknown_kinds_and_presets_name_the_nearest():
    with pytest.raises(SpecError, match="Did you mean finetune"):
        parse({"kind": "fine-tune"})
    with pytest.raises(SpecError, match="Did you mean stones"):
        preset("stone")
    with pytest.raises(SpecError, match="not JSON"):
        parse("{")


def test_none_is_a_word_where_a_setting_knows_it_and_empty_where_it_may_be():
    spec = change(Finetune(), {"normalisation": "none", "patience": "none"})
    assert spec.model.normalisation == "none" and spec.training.patience is None
    with pytest.raises(SpecError, match="epochs"):
        change(spec, {"epochs": "none"})


def test_batch_normalisation_over_one_window_is_refused_wherever_it_is_asked_for():
    alone = {"training.batch_size": 1}
    quick = preset("quick").finetune()
    for make in (
        lambda: change(quick, alone),
        lambda: change(quick, alone | {"training.engine": "replicas"}),
        lambda: change(Finetune(), alone | {"model.normalisation": "batch"}),
        lambda: _study(quick, alone),
        lambda: change(preset("quick").pretrain(), alone),
    ):
        with pytest.raises(SpecError, match=r"training\.batch"):
            make()
    for normalisation in ("none", "layer"):
        assert change(quick, alone | {"model.normalisation": normalisation}).training.batch_size == 1
    assert change(quick, alone | {"reference": "majority"}).estimator == "majority"


def _study(base, changes):
    arms = [{"name": "a"}, {"name": "b", "changes": changes}]
    return build(Study, {"base": base.model_dump(), "arms": arms, "against": "a"})


def _texts_of(name, info):
    """Values that a description names: an empty one, numbers before a verb, and words before a colon or a verb."""
    text = info.description or ""
    named = [""] if re.search(r"\bempty\b", text) else []
    named += re.findall(r"(?:^|[;:,] )(-?\d+(?:\.\d+)?) (?:is|for|uses|hides|means)\b", text)
    if getattr(info.annotation, "__args__", None) or info.annotation is str:
        named += re.findall(r"(?:^|; )([a-z_0-9]+)(?::| is| ignores| never| unfreezes| trains)", text)
    return [
        value for value in named if value not in ("layers", "the", "auto") or name.endswith(("precision", "engine"))
    ]


@pytest.mark.parametrize(("old", "new"), [(True, "exclude"), (False, "see")])
def test_what_pretraining_may_see_was_a_switch_once(old, new):
    stored = Pretrain().model_dump(mode="json")
    del stored["sampling"]["labelled"]
    stored["sampling"]["exclude_labelled"] = old
    assert parse(stored).sampling.labelled == new
    for value in (old, str(old).lower()):
        for name in ("exclude_labelled", "sampling.exclude_labelled"):
            assert change(Pretrain(), {name: value}).sampling.labelled == new
    study = Study(
        base=Finetune(),
        pretrain=Pretrain(),
        arms=(Arm(name="a"), Arm(name="b", pretraining={"sampling.exclude_labelled": old})),
        against="a",
    )
    assert study.pretraining_of("b").sampling.labelled == new
    assert change(Finetune(), {"reference": "none"}).estimator == "network"


def test_folds_with_checkpoints_of_their_own_are_counted_out_by_repeat():
    runs = [f"20261126-120000-{i:03d}-abcd" for i in range(6)]
    own = {"transfer.checkpoint": runs[0], "transfer.more_checkpoints": tuple(runs[1:]), "transfer.schedule": "full"}
    spec = change(Finetune(), own | {"training.folds": 3, "training.repeats": 2, "transfer.fold_checkpoints": 3})
    assert [spec.transfer.encoder_of(r, f) for r in range(2) for f in range(3)] == list(range(6))
    turns = change(spec, {"transfer.fold_checkpoints": 1})
    assert {turns.transfer.encoder_of(1, f) for f in range(3)} == {1} and turns.transfer.encoder_of(7, 0) == 1
    for wrong in ({"training.folds": 4}, {"transfer.more_checkpoints": tuple(runs[1:5])}):
        with pytest.raises(SpecError, match="fold_checkpoints"):
            change(spec, wrong)


NEEDED = {
    "transfer.schedule": {"transfer.checkpoint": "a.pt"},
    "model.class_input": {"model.pointer": "span"},
    "features.state": {"data.bars": "b.parquet"},
    "sampling.left_out": {"sampling.labelled": "per_fold"},
}


@pytest.mark.parametrize("kind", [Finetune, Pretrain])
def test_every_value_that_a_description_names_can_be_set(kind):
    tried = 0
    for name, info in settings(kind).items():
        for value in _texts_of(name, info):
            if name == "transfer.schedule" and value == "gradual":
                continue  # its words are those of the epochs, which have rules of their own
            spec = change(kind(), NEEDED.get(name, {}) | {name: value})
            tried += 1
            if value == "":
                assert settings(spec)[name] in (None, "", ()), name
    assert tried >= (10 if kind is Finetune else 3)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("columns", "open_norm,close_norm", ("open_norm", "close_norm")),
        ("columns", "open_norm, close_norm", ("open_norm", "close_norm")),
        ("columns", "relativity", ("relativity",)),
        ("columns", '["relativity", "price_path"]', ("relativity", "price_path")),
        ("exclude_grades", "", ()),
        ("exclude_grades", "C,D", ("C", "D")),
        ("patience", "", None),
        ("patience", "None", None),
        ("patience", "3", 3),
        ("penalty", "", None),
        ("general", "TRUE", True),
        ("general", "", None),
        ("data.bars", "", None),
        ("data.bars", "2024.parquet", "2024.parquet"),
        ("encoder_name", "0", "0"),
        ("schedule", "none", "none"),
        ("window_bars", "60", 60),
    ],
)
def test_a_text_is_read_as_its_setting_wants_it(name, text, value):
    name = "data.windows_reading.window_bars" if name == "window_bars" else name
    assert settings(change(Finetune(), {name: text}))[full_name(name, Finetune)] == value


@pytest.mark.parametrize(("name", "text"), [("columns", ""), ("epochs", ""), ("columns", "[open"), ("epochs", "1,2")])
def test_a_text_that_its_setting_cannot_be_is_refused(name, text):
    with pytest.raises(SpecError, match=name):
        change(Finetune(), {name: text})


@pytest.mark.parametrize("old", sorted(SETTINGS))
def test_a_setting_is_known_by_its_name_of_before(old):
    """In a stored spec and on the command line, and no setting is called so now."""
    kinds = [
        kind
        for kind in (Finetune, Pretrain, Study)
        if any(name.endswith(f"{SETTINGS[old]}") for name in settings(kind))
    ]
    assert kinds, f"{SETTINGS[old]} is no setting"
    for kind in kinds:
        names = [name.rpartition(".")[2] for name in settings(kind)]
        assert old not in names
    for spec in (kind() for kind in kinds if kind is not Study):
        full = next(name for name in settings(spec) if name.rpartition(".")[2] == SETTINGS[old])
        value, words = settings(spec)[full], SETTING_VALUES.get(old, {})
        word = next((before for before, after in words.items() if after == value), value)
        part, _, _ = full.rpartition(".")
        stored = {part: {old: word}} if part else {old: word}
        assert settings(build(type(spec), stored))[full] == value
        assert change(spec, {old: word}) == spec


@pytest.mark.parametrize("name", sorted(set(SETTING_VALUES) - set(SETTINGS)))
def test_a_word_of_before_is_read_as_that_of_now(name):
    for before, after in SETTING_VALUES[name].items():
        spec = change(Finetune(data={"bars": "bars.csv"}), {name: before})
        full = next(one for one in settings(spec) if one.rpartition(".")[2] == name)
        assert settings(spec)[full] == after
        part, _, last = full.rpartition(".")
        assert settings(build(Finetune, {"data": {"bars": "bars.csv"}, part: {last: before}}))[full] == after
