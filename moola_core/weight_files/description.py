"""What a checkpoint says of itself: its encoder, the columns and the scale of its inputs, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moola_core.errors import UNREADABLE, CheckpointError
from moola_core.features.catalog import FEATURES, PRICE_PATH
from moola_core.weight_files.encoders import Encoder
from moola_core.weight_files.files import read, unreadable
from moola_core.weight_files.questions import CheckpointQuestion, Question
from moola_core.weight_files.selection import judge, of_a_class, select
from moola_core.weight_files.statements import columns_of, own_description, scale_of, window_bars_of


@dataclass(frozen=True)
class Description:
    """A checkpoint as its file describes it.

    Attributes
    ----------
    path, form : str
        The file, and the form of file that it is.
    tensors : int
        How many it holds.
    dtype : str
        Type of the encoder's numbers.
    encoder : Encoder
    columns : tuple of str or None
        Names of the inputs; None where neither the file says them nor their number shows them.
    columns_stated : bool
        Whether the file says them.
    scale : (ndarray [F], ndarray [F]) or None
        Mean and standard deviation by which the inputs are scaled.
    window_bars : int or None
        Bars of the windows that it was trained on.
    own : dict
        The description in a file of this package; empty in any other.
    notes : tuple of str
        What is to be known before it is used.
    """

    path: str
    form: str
    tensors: int
    dtype: str
    encoder: Encoder
    columns: tuple[str, ...] | None
    columns_stated: bool
    scale: tuple[np.ndarray, np.ndarray] | None
    window_bars: int | None
    own: Mapping[str, Any]
    notes: tuple[str, ...]

    def settings(self) -> dict[str, Any]:
        """The settings that a run from this encoder has, by their dotted names."""
        encoder = self.encoder
        values: dict[str, Any] = {
            "model.layers": encoder.layers,
            "model.hidden": encoder.hidden,
            "model.normalisation": encoder.normalisation,
            "model.encoder": encoder.kind,
            "features.standardise": self.standardise,
        }
        return values | ({"features.columns": self.columns} if self.columns is not None else {})

    def facts(self) -> dict[str, Any]:
        """What is printed of it."""
        encoder, columns = self.encoder, list(self.columns or ())
        return {
            "encoder": encoder.kind,
            "name": encoder.prefix,
            "layers": encoder.layers,
            "hidden": encoder.hidden,
            "inputs": encoder.inputs,
            "normalisation": encoder.normalisation,
            "columns": columns,
            "columns_stated": self.columns_stated,
            "standardise": self.standardise,
            "dtype": self.dtype,
            "window_bars": self.window_bars,
            "settings": self.settings(),
        }

    @property
    def standardise(self) -> bool:
        """Whether its inputs are scaled."""
        stated = self._spec("features", "standardise")
        return bool(stated) if stated is not None else self.scale is not None

    @property
    def state(self) -> str:
        """Whether the features started anew at each window; of a file from elsewhere with the 12 features they ran on over all bars."""
        stated = self._spec("features", "state")
        return str(stated) if stated else "streaming" if not self.own and self.columns == ("relativity",) else ""

    def _spec(self, part: str, name: str) -> Any:
        spec = self.own.get("spec")
        inside = spec.get(part) if isinstance(spec, Mapping) else None
        return inside.get(name) if isinstance(inside, Mapping) else None


def describe(path: str | Path, which: str = "", stated: Mapping[str, Any] | None = None) -> Description:
    """What the file says of itself.

    Parameters
    ----------
    path : str or Path
        Any file of tensors.
    which : str, optional
        The encoder to take, by the beginning or the end of its name, where the file holds more than one.
    stated : mapping of str to Any, optional
        The description of a file of this package that does not hold its own.

    Raises
    ------
    CheckpointQuestion
        When it holds more than one encoder and `which` does not say which to take.
    CheckpointError
        When it cannot be read, holds no encoder that can be used, or numbers that no training leaves.
    """
    contents = read(path)
    own = own_description(contents, Path(path)) if not stated else dict(stated)
    try:
        encoder = of_a_class(contents, own) or select(contents, which, str(path))
        arrays = {ours: contents.tensors[theirs].array() for ours, theirs in encoder.names.items()}
        notes = judge(encoder, arrays, str(path))
        scale = scale_of(contents, encoder.inputs, str(path))
    except UNREADABLE as error:
        raise unreadable(path, error) from None
    columns, named = columns_of(contents, own, encoder.inputs)
    if columns is not None and not named:
        notes.append(
            f"It does not name its {encoder.inputs} inputs; they are taken as the {len(FEATURES)} relativity features."
        )
    if scale is None and not own:
        notes.append(
            "It does not state the scale of its inputs, so they are not scaled. If it was trained on scaled inputs, add their means and standard "
            "deviations to the file as scale.mean and scale.std."
        )
    dtypes = sorted({contents.tensors[theirs].dtype for ours, theirs in encoder.names.items() if "tracked" not in ours})
    length = window_bars_of(contents, own)
    return Description(
        str(path),
        contents.form,
        len(contents.tensors),
        ", ".join(dtypes),
        encoder,
        columns,
        named,
        scale,
        length,
        own,
        tuple(notes),
    )


def weights(described: Description) -> dict[str, np.ndarray]:
    """The encoder's parameters as float32 under our names."""
    tensors = read(described.path).tensors
    try:
        arrays = {ours: tensors[theirs].array() for ours, theirs in described.encoder.names.items()}
    except UNREADABLE as error:
        raise unreadable(described.path, error) from None
    if described.encoder.normalisation == "batch":  # exports leave the count of batches out; it changes no output
        arrays.setdefault("normalisation.num_batches_tracked", np.zeros((), np.float32))
    return arrays


def columns_question(described: Description) -> CheckpointError:
    """The question which columns the encoder reads, where the file does not say; a refusal where there are not so many."""
    inputs, every = described.encoder.inputs, len(FEATURES) + len(PRICE_PATH)
    if inputs > every:
        return CheckpointError(
            f"its encoder reads {inputs} inputs, and there are {every} features; it may read the outputs of other layers.",
            where=described.path,
            hint="Give an encoder that reads the features themselves.",
        )
    groups = {
        len(FEATURES): ("relativity",),
        len(PRICE_PATH): ("price_path",),
        every: ("relativity,price_path", "price_path,relativity"),
    }
    question = f"it reads {inputs} inputs and does not say which columns they are, in which order."
    return CheckpointQuestion(
        Question("features.columns", question, groups.get(inputs, (f"NAME,… ({inputs} names)",))), described.path
    )
