"""Cross-validated fits to labelled windows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from moola_core.specs.choices import ESTIMATORS, JOINED, WEIGHTINGS, EstimatorName, WeightingName, listed
from moola_core.specs.data import Data, Features
from moola_core.specs.model import Model
from moola_core.specs.part import SpecModel


class Loss(SpecModel):
    weighting: WeightingName = Field("uncertainty", description=f"how the two losses are added; {listed(WEIGHTINGS)}")
    class_weight: float = Field(1.0, ge=0, description="weight of the class loss when fixed")
    pointer_weight: float = Field(1.0, ge=0, description="weight of the pointer loss when fixed")
    focal_gamma: float = Field(0.0, ge=0, le=5, description="focal loss exponent; 0 is plain cross-entropy")
    huber_delta: float = Field(
        0.08, gt=0, le=1, description="where the pointer loss turns linear, fraction of the window"
    )
    log_variance_lr: float = Field(
        1e-3, ge=0, le=1, description="learning rate of log σ², or of what another weighting learns"
    )
    pcgrad: bool = Field(False, description="project conflicting gradients off each other")
    pcgrad_threshold: float = Field(
        0.0, ge=-1, le=1, description="project when the cosine is below this; 0 is the paper's"
    )


class Training(SpecModel):
    epochs: int = Field(60, ge=1, le=2000, description="maximum epochs of one fit")
    batch_size: int = Field(29, ge=1, le=4096, description="windows per step")
    learning_rate: float = Field(3e-4, ge=0, le=1, description="AdamW learning rate")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="AdamW weight decay")
    max_grad_norm: float = Field(1.0, gt=0, description="maximum gradient norm")
    patience: int | None = Field(15, ge=1, description="epochs without improvement before stopping; empty for never")
    monitor: Literal["loss", "f1_macro"] = Field(
        "loss", description="score on the validation split that selects the epoch"
    )
    averaging: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of earlier epochs in a moving average of the weights, which is then what is measured and kept",
    )
    mirrored_frac: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the windows of each step that are turned upside down, where training windows have an expansion; for classes that do not depend on its direction (needs the price path alone)",
    )
    jitter_std: float = Field(
        0.0, ge=0, le=10, description="noise added to the network's inputs in training, in their units"
    )
    folds: int = Field(5, ge=2, le=20, description="outer folds")
    repeats: int = Field(
        1, ge=1, le=200, description="repeats of the cross-validation, each with new folds and weights"
    )
    train_size: float = Field(
        1.0, gt=0, le=1, description="share of the training windows that is used, to see what more labels would buy"
    )
    validation_size: float = Field(0.2, gt=0, lt=0.5, description="share of the training folds kept for early stopping")
    embargo_bars: int = Field(0, ge=0, le=100000, description="bars kept free between training and test windows")
    seed: int = Field(17, ge=0, le=2**31 - 1, description="random seed")
    eval_every_epochs: int = Field(5, ge=1, description="epochs between full measurements on the validation split")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="device to train on")
    precision: Literal["auto", "float32", "tf32", "bf16"] = Field(
        "auto",
        description="arithmetic; auto is float32, or TF32 where that was measured to be faster and as good; TF32 and bf16 need CUDA",
    )
    engine: Literal["auto", "sequential", "replicas"] = Field(
        "auto",
        description="fits one after another, or all at once as replicas; auto is what `moola tune` measured to be fastest, else replicas on CUDA and sequential on CPU",
    )
    processes: int = Field(
        0,
        ge=0,
        le=64,
        description="fits at a time on CPU, and at most so many runs of a study; 0 is what `moola tune` measured to be fastest, else two where there are two cores (of runs as many as cores and memory allow)",
    )


class Transfer(SpecModel):
    checkpoint: str = Field(
        "",
        description="encoder to start from: a pre-training run's id, a file, or RUN/REPEAT-FOLD for a fit of a fine-tuning run; empty starts from random weights",
    )
    more_checkpoints: tuple[Annotated[str, Field(pattern=r"^\d{8}-\d{6}-\d{3}-[0-9a-f]{4}(/\d{3}-\d{2})?$")], ...] = (
        Field(
            (),
            description="further encoders, runs pre-trained with other seeds or fits of a run: the repeats start from all in turn",
        )
    )
    fold_checkpoints: int = Field(
        1,
        ge=1,
        description="how many checkpoints belong to one repeat, which its folds start from in their order; 1 where all folds start from one",
    )
    encoder_name: str = Field(
        "", description="which encoder of the file, by the beginning or end of its name there; empty where it holds one"
    )
    schedule: Literal["none", "frozen", "gradual", "full"] = Field(
        "none",
        description="none ignores the checkpoint; frozen never trains the encoder; gradual unfreezes it from the top; full trains it at a lower rate",
    )
    last_layer_epoch: int = Field(11, ge=1, description="gradual: the encoder's last layer trains from this epoch on")
    all_epoch: int = Field(21, ge=1, description="gradual: everything trains from this epoch on")
    last_layer_lr: float = Field(
        1e-4, ge=0, le=1, description="gradual: learning rate of the last layer until everything trains"
    )
    all_lr: float = Field(1e-5, ge=0, le=1, description="gradual: learning rate once everything trains, heads included")
    encoder_lr_scale: float = Field(
        0.1, ge=0, le=1, description="full: the encoder's learning rate as a share of the heads'"
    )
    l2_sp: float = Field(
        0.0, ge=0, description="pull of the encoder towards its pre-trained weights (L2-SP), in place of weight decay"
    )

    @property
    def encoders(self) -> tuple[str, ...]:
        """The checkpoints that the fits start from, see `encoder_of`; none from random weights."""
        return () if self.schedule == "none" else (self.checkpoint, *self.more_checkpoints)

    def encoder_of(self, repeat: int, fold: int) -> int:
        """Which of the `encoders` a fit starts from: the repeats take turns, and the folds of one where each has its own."""
        place = repeat * self.fold_checkpoints + fold % self.fold_checkpoints
        return place % max(len(self.encoders), 1)


class Faults(SpecModel):
    """Switches that only plant a fault, for testing the tool and for the runs that it was built to explain."""

    extra_output: int = Field(0, ge=0, le=10, description="outputs of the class head beyond the classes")
    shuffled_folds: bool = Field(False, description="plain shuffled folds: windows that share bars are torn apart")
    test_fold_selection: bool = Field(False, description="early stopping and the epoch are selected on the test fold")
    shuffled_labels: bool = Field(False, description="labels of training and validation windows are permuted")
    shuffled_pointers: bool = Field(False, description="the expansions are exchanged between the windows at random")
    accumulated_gradients: bool = Field(False, description="raw gradients are added back to the projected ones")
    frozen_dropout: bool = Field(False, description="a frozen encoder stays in training mode: its dropout goes on")
    noise_encoder: bool = Field(False, description="the pre-trained encoder's weights are replaced by noise")
    nothing_unfrozen: bool = Field(False, description="the encoder stays frozen, whatever the schedule says")
    temperature: float = Field(
        1.0, gt=0, le=10, description="logits are divided by it in prediction; below 1 is overconfident"
    )
    flipped_labels: float = Field(0.0, ge=0, le=0.5, description="share of the windows whose label is another class")
    shuffled_bars: bool = Field(False, description="the bars of each window come in random order")
    single_position: bool = Field(False, description="the last feature is filled at the last bar only")


# The settings of the training that every model reads; the others are a network's.
OF_ALL_MODELS = tuple(
    f"training.{name}" for name in ("folds", "repeats", "train_size", "validation_size", "embargo_bars", "seed")
)


PATH = "price_path"  # the group of features that the span statistics are made of


class Spans(SpecModel):
    """Settings of the estimator `locate_then_classify`."""

    penalty: float | None = Field(
        None,
        gt=0,
        description="penalty of the coefficients that score spans; empty lets held-out training windows decide",
    )
    scatter_bars: float | None = Field(
        None,
        ge=0,
        le=100,
        description="standard deviation of labelled ends about the true ones; empty reads it from the labels",
    )
    misplaced_frac: float | None = Field(
        None, ge=0, lt=1, description="share of labelled expansions that lie elsewhere; empty reads it from the labels"
    )
    general: bool | None = Field(
        None, description="channel, pullback and rank statistics take part; empty lets held-out training windows decide"
    )


class Join(SpecModel):
    """Which runs the estimator `joined` joins."""

    class_run: str = Field("", description="the finished run whose classes are used")
    pointer_run: str = Field("", description="the finished run whose expansions are used")


class Finetune(SpecModel):
    """A cross-validated fit of the model to labelled windows."""

    kind: Literal["finetune"] = "finetune"
    preset: str = Field("", description="the preset that the settings started from")
    estimator: EstimatorName = Field("network", description=f"the model; {listed(ESTIMATORS)}")
    data: Data = Data()
    features: Features = Features()
    spans: Spans = Spans()
    join: Join = Join()
    model: Model = Model()
    transfer: Transfer = Transfer()
    loss: Loss = Loss()
    training: Training = Training()
    faults: Faults = Faults()

    @property
    def is_network(self) -> bool:
        """Whether a network is trained: only then do the settings of model, loss and transfer count."""
        return self.estimator == "network"

    def reads(self, name: str) -> bool:
        """Whether the estimator reads the setting of this dotted name."""
        part = name.split(".")[0]
        if self.estimator == JOINED or part == "join":
            return self.estimator == JOINED and part in ("estimator", "data", "join")
        if self.is_network:
            return part != "spans"
        if part in ("loss", "transfer") or name == "features.standardise":
            return False
        if part == "model":
            return name == "model.tasks"
        if part == "training":
            return name in OF_ALL_MODELS
        return part != "spans" or self.estimator == "locate_then_classify"

    @model_validator(mode="after")
    def _consistent(self) -> Finetune:
        if self.features.state == "streaming" and not self.data.bars:
            raise ValueError("features.state=streaming needs data.bars; give a file of bars or use restarted")
        if self.model.adds_statistics and self.is_network and PATH not in self.features.columns:
            raise ValueError(
                f"model.span_statistics reads prices; add {PATH} to features.columns or set model.span_statistics=false"
            )
        if self.training.mirrored_frac and self.is_network and self.features.columns != (PATH,):
            raise ValueError(
                f"training.mirrored_frac turns prices upside down, and other features do not follow; set features.columns to {PATH} or "
                "training.mirrored_frac=0"
            )
        if self.loss.pcgrad and self.model.tasks != "both":
            raise ValueError("loss.pcgrad needs both tasks; set model.tasks=both or loss.pcgrad=false")
        if self.training.batch_size == 1 and self.model.normalisation == "batch" and self.is_network:
            raise ValueError(
                "training.batch_size=1 gives batch normalisation a single window to normalise over; set training.batch_size to 2 or more, or "
                "model.normalisation to layer or none"
            )
        transfer, epochs = self.transfer, self.training.epochs
        if transfer.schedule != "none" and not transfer.checkpoint:
            raise ValueError(
                f"transfer.schedule={transfer.schedule} needs transfer.checkpoint; give a run or a file, or use none"
            )
        own = transfer.fold_checkpoints
        if own > 1 and transfer.encoders and (own != self.training.folds or len(transfer.encoders) % own):
            raise ValueError(
                f"transfer.fold_checkpoints={own} needs as many folds and a multiple of {own} checkpoints; training.folds is "
                f"{self.training.folds}, and there are {len(transfer.encoders)}"
            )
        if transfer.schedule == "gradual" and not transfer.last_layer_epoch < transfer.all_epoch <= epochs:
            raise ValueError(
                f"the gradual schedule needs last_layer_epoch ({transfer.last_layer_epoch}) before all_epoch "
                f"({transfer.all_epoch}), and that within training.epochs ({epochs})"
            )
        return self
