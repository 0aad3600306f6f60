"""Fitted estimators as bytes: by skops, which reads numbers and named classes and runs no code of the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

from moola_core.errors import UNREADABLE, CheckpointError
from moola_core.estimators.estimator import ESTIMATORS, Estimator

# What skops does not trust by itself and the built-in estimators are made of.
TRUSTED = {
    "aeon.transformations.collection.convolution_based._minirocket.MiniRocket",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
}
OWN = "moola_core."
_UNREADABLE = (*UNREADABLE, AssertionError, RuntimeError)


def dumps(estimator: Estimator) -> bytes:
    """The state of a fitted estimator as bytes. It names no class of this package: the run's spec says what it is."""
    import skops.io

    return skops.io.dumps(estimator.__getstate__(), compression=zipfile.ZIP_DEFLATED)


def load(path: Path, kind: type[Estimator]) -> Estimator:
    """The fitted estimator of a kind in a file. Raises CheckpointError where it cannot be read or names a class that no estimator is made of."""
    import skops.io

    again = "Run it again from its spec: `moola rerun RUN`."
    try:
        raw = path.read_bytes()
        types = skops.io.get_untrusted_types(data=raw)
        foreign = [name for name in types if not _trusted(name)]
        if foreign:
            raise CheckpointError(
                f"it names classes that no estimator is made of: {', '.join(sorted(foreign))}.",
                where=str(path),
                hint=again,
            )
        estimator = kind.__new__(kind)
        estimator.__setstate__(skops.io.loads(raw, trusted=types))
    except _UNREADABLE as error:
        raise CheckpointError(f"cannot be read: {error}.", where=str(path), hint=again) from None
    return estimator


def _trusted(name: str) -> bool:
    """Named above, or in the module of an estimator that an installed package offers."""
    others = {f"{member.__module__}." for member in ESTIMATORS.values() if not member.__module__.startswith(OWN)}
    return name in TRUSTED or any(name.startswith(module) for module in others)
