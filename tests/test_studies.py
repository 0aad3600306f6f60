"""What somebody asks of a named study, and what the study does with it."""

from __future__ import annotations

import pytest

from moola_core import studies
from moola_core.cli import main
from moola_core.errors import SpecError
from moola_core.specs import change, settings

FILES = {"windows": "windows.parquet", "bars": "bars.parquet"}
# For each study a setting that its arms compare, and one that they only pass on.
COMPARED = {
    "transfer": "transfer.l2_sp=0.1",  # its arms differ in nothing else that could be set
    "losses": "loss.weighting=dwa",
    "gradients": "loss.pcgrad_threshold=-0.7",
    "patience": "training.patience=7",
    "architectures": "model.hidden=20",
    "tasks": "model.tasks=both",
    "pointers": "transfer.l2_sp=0.1",  # as of transfer
    "features": 'features.columns=["upper_wick"]',
    "labels": "training.train_size=0.3",
    "objectives": "pretrain.objective.name=supervised",
    "pretraining-data": "pretrain.sampling.keep=active",
}


def asked(name, *texts):
    return studies.study(name, "quick", FILES, dict(text.split("=", 1) for text in texts))


def arm(spec, name):
    return spec.spec_of(name, "encoder")


def test_the_epochs_at_which_the_encoder_is_unfrozen_are_those_that_the_user_sets():
    both = asked("transfer", "transfer.last_layer_epoch=4", "all_epoch=9", "epochs=25")
    assert (arm(both, "gradual").transfer.last_layer_epoch, arm(both, "gradual").transfer.all_epoch) == (4, 9)
    assert both.notes == ()
    usual = arm(asked("transfer", "epochs=25"), "gradual").transfer
    assert (usual.last_layer_epoch, usual.all_epoch) == (5, 10)
    for text, wanted in (("last_layer_epoch=12", (12, 13)), ("all_epoch=3", (2, 3))):
        one = arm(asked("transfer", "epochs=25", text), "gradual").transfer
        assert (one.last_layer_epoch, one.all_epoch) == wanted, "the other one makes way"


@pytest.mark.parametrize("name", list(studies.NAMED))
def test_a_setting_holds_in_every_arm_unless_the_study_says_that_it_does_not(name):
    """Settings of all rooms, one at a time: an arm that has another value is named in a note, and no other arm is."""
    texts = [
        COMPARED[name],
        "epochs=33",
        "model.dropout=0.11",
        "model.normalisation=none",
        "learning_rate=0.004",
        "loss.class_weight=2.5",
        "focal_gamma=1.5",
        "features.standardise=false",
        "jitter_std=0.2",
        "transfer.l2_sp=0.3",
        "transfer.last_layer_epoch=7",
    ]
    for text in texts:
        spec = asked(name, text)
        key, _, _ = text.partition("=")
        if key.startswith("pretrain."):
            key = key.removeprefix("pretrain.")
            mine = settings(spec.pretrain)
            arms = {one.name: settings(own) for one in spec.arms if (own := spec.pretraining_of(one.name))}
        else:
            mine = settings(spec.base)
            arms = {one.name: settings(arm(spec, one.name)) for one in spec.arms}
        (full,) = [known for known in mine if known == key or known.endswith(f".{key}")]
        other = [one for one, values in arms.items() if values[full] != mine[full]]
        said = [note for note in spec.notes if full in note]
        assert len(said) == bool(other)
        assert not other or said[0].endswith(f": {', '.join(other)}.")


def test_settings_of_a_pretraining_that_does_not_take_place_are_not_passed_over_in_silence():
    (note,) = asked("losses", "pretrain.training.epochs=3").notes
    assert note == "pretrain.training.epochs=3 has no effect: the study losses pre-trains nothing."


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("transfer", "preset=stones", r"preset cannot be set: .*--preset"),
        ("transfer", "pretrain.preset=stones", r"preset cannot be set: .*--preset"),
        ("losses", "kind=pretrain", "kind cannot be set"),
        ("losses", "estimator=logistic", "chooses its baselines itself"),
        ("transfer", "checkpoint=x.pt", "Give --checkpoint"),
        ("objectives", "transfer.checkpoint=x.pt", "set it themselves"),
        ("transfer", "schedule=full", "set it themselves"),
    ],
)
def test_what_is_no_setting_of_a_study_is_refused_with_what_to_do(name, text, words):
    with pytest.raises(SpecError, match=words):
        asked(name, text)


@pytest.mark.parametrize("name", [name for name in studies.NAMED if name != "transfer"])
def test_a_checkpoint_of_which_a_study_makes_no_use_is_refused(name):
    with pytest.raises(SpecError, match="makes no use of a checkpoint"):
        studies.study(name, "quick", FILES, {}, "encoder.pt")


@pytest.mark.parametrize(
    "command", [["finetune", "--windows"], ["pretrain", "--bars"], ["study", "losses", "--windows"]]
)
def test_the_preset_is_not_a_setting_on_the_command_line(command, demo_files, capsys, tmp_path):
    file = demo_files["bars" if command[0] == "pretrain" else "windows"]
    status = main([*command, str(file), "--set", "preset=quick", "--store", str(tmp_path / "store")])
    said = capsys.readouterr()
    assert status == 2 and "preset=quick: preset cannot be set" in said.err and "--preset" in said.err
    assert not (tmp_path / "store").exists()


def test_settings_beside_a_study_in_a_file_or_one_that_goes_on_are_refused(capsys, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(asked("losses").model_dump_json())
    for arguments in ([str(path)], ["losses", "--resume", "20260101-000000-000-aaaa"]):
        assert main(["study", *arguments, "--set", "epochs=3", "--store", str(tmp_path / "store")]) == 2
        assert "Leave out --set epochs=3" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(studies.NAMED))
def test_encoders_are_compared_without_statistics_that_would_answer_in_their_place(name):
    made = studies.study(name, "network", FILES)
    networks = [spec.model for one in made.arms if (spec := arm(made, one.name)).is_network]
    alone = name in studies.ENCODER_ALONE
    assert networks and all(model.span_statistics is not alone for model in networks)
    assert (studies.ALONE in made.notes) is alone
    if name == "transfer":
        asked_for = studies.study(name, "network", FILES, {"model.span_statistics": True})
        assert arm(asked_for, "full").model.span_statistics and studies.ALONE not in asked_for.notes


@pytest.mark.parametrize("name", list(studies.NAMED))
def test_every_study_has_the_current_settings_as_its_control(name):
    """They are the base's; where the arms are pre-trained, those without pre-training or with the one that is asked for."""
    for texts in ((), ("training.patience=7", "model.hidden=20"), ("pretrain.sampling.keep=active",)):
        if texts and texts[0].startswith("pretrain") and name not in studies.PRETRAINED:
            continue
        spec = asked(name, *texts)
        control = next(one for one in spec.arms if one.name == spec.against)
        assert spec.arms[0] is control and not control.baseline
        if control.pretraining is not None:
            assert spec.pretraining_of(control.name) == spec.pretrain
        elif name in studies.PRETRAINED:
            assert arm(spec, control.name) == change(
                spec.base, {"transfer.schedule": "none", "transfer.checkpoint": ""}
            )
        else:
            assert arm(spec, control.name) == spec.base and "current" in control.name
        specs = [(arm(spec, one.name), spec.pretraining_of(one.name)) for one in spec.arms]
        assert all(one not in specs[:i] for i, one in enumerate(specs)), "no two arms are the same"
