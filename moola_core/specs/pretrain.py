"""Pre-training on unlabelled bars."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from moola_core.errors import SpecError
from moola_core.specs.choices import OBJECTIVES, ObjectiveName, listed
from moola_core.specs.data import Data, Features
from moola_core.specs.model import Model
from moola_core.specs.objectives import RULES
from moola_core.specs.part import SpecModel

# What pre-training saw of the labelled windows, by the word of sampling.labelled, as a sentence.
SAW = {
    "exclude": "Pre-training left out all windows that share bars with known labelled ones.",
    "per_fold": "Each fold of each repeat had a pre-training of its own, without the bars of the windows that it tests or stops on; bars of its "
    "training windows were seen, without their labels.",
    "see": "Pre-training saw the bars of the labelled windows, also of those that a fold tests, without their labels.",
    "fit": "Each fit started from a fit of another fine-tuning run, which was not trained or stopped on the windows that it tests.",
    "unknown": "Whether pre-training saw bars of the labelled windows is not known: the checkpoint does not say.",
}


class Objective(SpecModel):
    name: ObjectiveName = Field("masked", description=listed(OBJECTIVES))
    mask_frac: float = Field(0.15, gt=0, lt=1, description="masked: share of a window's bars that are hidden")
    mask_block_bars: int = Field(
        5, ge=1, le=100, description="masked: longest run of hidden bars; 1 hides bars one by one"
    )
    huber_delta: float = Field(1.0, gt=0, description="masked: where the loss turns linear, standard deviations")
    temperature: float = Field(0.2, gt=0, le=10, description="contrastive: temperature of NT-Xent")
    augment_noise: float = Field(
        0.1, ge=0, le=2, description="contrastive: noise on prices, in the window's mean range"
    )
    augment_warp: float = Field(
        0.2, ge=0, le=1, description="contrastive: slow change of the size of moves, as a share"
    )
    augment_shift_bars: int = Field(
        8, ge=0, le=100, description="contrastive: the two views start at most so many bars apart"
    )
    projection_width: int = Field(64, ge=2, le=1024, description="contrastive: width of the projected vectors")
    barrier_ranges: float = Field(
        3.0, gt=0, le=100, description="supervised: distance of both barriers from the last close, in mean ranges"
    )
    horizon_bars: int = Field(
        30, ge=1, le=1000, description="supervised: how many bars may pass before a barrier is touched"
    )
    least_bars: int = Field(5, ge=2, le=200, description="expansion: fewest bars of a span that is looked for")
    most_bars: int = Field(20, ge=2, le=200, description="expansion: most bars of a span that is looked for")
    weak_class: Literal["follows", "direction"] = Field(
        "follows",
        description="for expansion, follows asks whether the bars after the span go on or give back first, direction whether it goes up or down",
    )
    after_bars: int = Field(20, ge=1, le=500, description="expansion: how many bars after the span are looked at")
    barrier_frac: float = Field(
        0.5,
        gt=0,
        le=10,
        description="expansion: how far going on or giving back is, as a share of the move through the span",
    )

    @model_validator(mode="after")
    def _spans_exist(self) -> Objective:
        if self.least_bars > self.most_bars:
            raise ValueError(
                f"objective.least_bars={self.least_bars} is above objective.most_bars={self.most_bars}; swap them, or lower the first"
            )
        return self


class Sampling(SpecModel):
    window_bars: int = Field(105, ge=10, le=500, description="window length in bars")
    stride_bars: int = Field(52, ge=1, le=5000, description="bars from one window's start to the next")
    valid_frac: float = Field(0.1, gt=0, lt=0.9, description="share of the time, at its end, kept for validation")
    labelled: Literal["exclude", "per_fold", "see"] = Field(
        "exclude",
        description="exclude leaves out all windows that share bars with labelled ones; per_fold, in a study, pre-trains for each fold of each "
        "repeat and leaves out what that fold tests or stops on; see leaves out none",
    )
    left_out: tuple[str, ...] = Field(
        (),
        description="per_fold: the labelled windows whose bars are left out, by id; a study fills it in for each fold",
    )
    shuffled: bool = Field(
        False,
        description="the bars come in random order: what is then learned is nothing but a better start, a placebo",
    )
    exclude_filler: bool = Field(True, description="leave out windows that hold filler bars of a closed market")
    keep: Literal["all", "active", "similar"] = Field(
        "all", description="all windows, the most active ones, or those most like the labelled ones"
    )
    keep_frac: float = Field(0.5, gt=0, le=1, description="share of windows kept when active or similar")


class Pretraining(SpecModel):
    epochs: int = Field(20, ge=1, le=2000, description="passes over all windows")
    batch_size: int = Field(1024, ge=2, le=65536, description="windows per step")
    learning_rate: float = Field(1e-3, ge=0, le=1, description="maximum AdamW learning rate")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="AdamW weight decay")
    warmup_frac: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the rate rises to its maximum")
    max_grad_norm: float = Field(1.0, gt=0, description="maximum gradient norm")
    jitter_std: float = Field(0.0, ge=0, le=10, description="noise added to the windows, in the features' units")
    seed: int = Field(17, ge=0, le=2**31 - 1, description="random seed")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="device to train on")
    precision: Literal["auto", "float32", "tf32", "bf16"] = Field(
        "auto", description="arithmetic; auto is bf16 on CUDA"
    )


class PretrainFaults(SpecModel):
    """Switches that only plant a fault in pre-training."""

    unmasked_input: bool = Field(False, description="hidden bars stay visible in the input: the target is seen")


class Pretrain(SpecModel):
    """Self-supervised training of the encoder on unlabelled bars."""

    kind: Literal["pretrain"] = "pretrain"
    preset: str = Field("", description="the preset that the settings started from")
    data: Data = Data()
    features: Features = Features()
    model: Model = Model()
    objective: Objective = Objective()
    sampling: Sampling = Sampling()
    training: Pretraining = Pretraining()
    faults: PretrainFaults = PretrainFaults()

    @model_validator(mode="after")
    def _consistent(self) -> Pretrain:
        if self.sampling.keep == "similar" and not self.data.windows:
            raise ValueError("sampling.keep=similar needs data.windows; give labelled windows, or keep all or active")
        if self.sampling.labelled == "per_fold" and self.data.bars and not self.data.windows:
            raise ValueError(
                "sampling.labelled=per_fold needs data.windows; give labelled windows, or use exclude or see"
            )
        if self.sampling.left_out and self.sampling.labelled != "per_fold":
            raise ValueError("sampling.left_out needs sampling.labelled=per_fold; leave it out, or set that")
        if self.objective.name == "expansion" and self.objective.least_bars > self.sampling.window_bars:
            raise ValueError(
                f"no span of objective.least_bars={self.objective.least_bars} fits into sampling.window_bars={self.sampling.window_bars}; "
                "lower the first"
            )
        # An objective of another package is asked when it is made: settings of stored runs are read without importing it.
        problem = RULES[self.objective.name].problem(self) if self.objective.name in RULES else ""
        if problem:
            raise ValueError(problem)
        return self


def refuse_without_fold(spec: Pretrain) -> None:
    """Raise SpecError for a pre-training that is to leave out what a fold tests or stops on, where no study says which fold."""
    if spec.sampling.labelled == "per_fold" and not spec.sampling.left_out:
        raise SpecError(
            "per_fold leaves out what a fold tests or stops on, and a pre-training by itself belongs to no fold.",
            where="sampling.labelled",
            hint="Set it in a study, with --set pretrain.sampling.labelled=per_fold, or use exclude or see.",
        )
