"""Fitted estimators as bytes: by skops, which reads numbers and named classes and runs no code of the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

from moola_core.errors import CheckpointError
from moola_core.estimators.estimator import ESTIMATORS, Estimator

# What skops does not trust by itself and the built-in estimators are made of.
TRUSTED = {
    "aeon.transformations.collection.convolution_based._minirocket.MiniRocket",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
}
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ImportError,
    AssertionError,
    RuntimeError,
    RecursionError,
    OverflowError,
    zipfile.BadZipFile,
)
OWN = ("moola_core.estimators.", "moola_core.spans.")


def dumps(estimator: Estimator) -> bytes:
    """A fitted estimator as bytes."""
    import skops.io

    return skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED)


def load(path: Path) -> Estimator:
    """The fitted estimator in a file. Raises CheckpointError where it cannot be read or names a class that no estimator is made of."""
    import skops.io

    try:
        content = path.read_bytes()
        types = skops.io.get_untrusted_types(data=content)
        foreign = [name for name in types if not _trusted(name)]
        if foreign:
            raise CheckpointError(
                f"it names classes that no estimator is made of: {', '.join(sorted(foreign))}.",
                where=str(path),
                hint="Run it again from its spec: `moola rerun RUN`.",
            )
        estimator = skops.io.loads(content, trusted=types)
    except _UNREADABLE as error:
        raise CheckpointError(
            f"cannot be read: {error}.", where=str(path), hint="Run it again from its spec: `moola rerun RUN`."
        ) from None
    if not isinstance(estimator, Estimator):
        raise CheckpointError("it holds no estimator.", where=str(path), hint="Run it again: `moola rerun RUN`.")
    return estimator


def _trusted(name: str) -> bool:
    """Built in, or in the module of an estimator that an installed package offers."""
    members = {f"{member.__module__}." for member in ESTIMATORS.values()}
    return name in TRUSTED or name.startswith(OWN) or any(name.startswith(module) for module in members)
