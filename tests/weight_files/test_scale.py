"""A file that does not state the scale of its inputs says so: a frozen encoder that was trained on scaled ones learned something else."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from moola_core.runs.checkpoints import description_of

NOTE = "does not state the scale of its inputs"


@pytest.mark.parametrize("stated", [True, False])
def test_a_file_without_its_scale_says_that_inputs_are_not_scaled(tmp_path, stated):
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (32, 12), "weight_hh_l0": (32, 8), "bias_ih_l0": (32,), "bias_hh_l0": (32,)}
    tensors = {
        f"encoder.lstm.{name}{way}": rng.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in shapes.items()
        for way in ("", "_reverse")
    }
    scale = {"scale.mean": np.zeros(12, np.float32), "scale.std": np.full(12, 2.0, np.float32)}
    save_file(tensors | (scale if stated else {}), tmp_path / "encoder.safetensors")
    described = description_of(str(tmp_path / "encoder.safetensors"), tmp_path)
    assert any(NOTE in note for note in described.notes) is not stated
    assert described.standardise is stated
