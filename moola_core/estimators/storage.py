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
OWN = "moola_core."
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


def dumps(estimator: Estimator) -> bytes:
    """A fitted estimator as bytes: its name in the registry and its state, so that no class of this package is named in it."""
    import skops.io

    names = [name for name, kind in ESTIMATORS.items() if kind is type(estimator)]
    name = names[0] if names else f"{type(estimator).__module__}:{type(estimator).__qualname__}"
    content = {"estimator": name, "state": estimator.__getstate__()}
    return skops.io.dumps(content, compression=zipfile.ZIP_DEFLATED)


def load(path: Path) -> Estimator:
    """The fitted estimator in a file. Raises CheckpointError where it cannot be read or names a class that no estimator is made of."""
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
        content = skops.io.loads(raw, trusted=types)
        kind = ESTIMATORS.resolve(content["estimator"])
        estimator = kind.__new__(kind)
        estimator.__setstate__(content["state"])
    except _UNREADABLE as error:
        raise CheckpointError(f"cannot be read: {error}.", where=str(path), hint=again) from None
    return estimator


def _trusted(name: str) -> bool:
    """Named above, or in the module of an estimator that an installed package offers."""
    others = {f"{member.__module__}." for member in ESTIMATORS.values() if not member.__module__.startswith(OWN)}
    return name in TRUSTED or any(name.startswith(module) for module in others)
