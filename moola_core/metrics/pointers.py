"""How far predicted pointers lie from the true ones. Bars are 0-based, ends inclusive; windows without a true pointer do not count."""

from __future__ import annotations

import numpy as np

TOLERANCES_BARS = (3, 5)


def errors(start_true: np.ndarray, end_true: np.ndarray, start: np.ndarray, end: np.ndarray) -> dict[str, np.ndarray]:
    """Absolute errors in bars of center, length, start and end, each [m] over the windows that have a true pointer."""
    known = np.isfinite(start_true) & np.isfinite(end_true)
    a, b, p, q = (np.asarray(values, float)[known] for values in (start_true, end_true, start, end))
    return {
        "center": np.abs((p + q - a - b) / 2),
        "length": np.abs((q - p) - (b - a)),
        "start": np.abs(p - a),
        "end": np.abs(q - b),
    }


def iou(start_true: np.ndarray, end_true: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Intersection over union of the inclusive bar intervals, [m]."""
    known = np.isfinite(start_true) & np.isfinite(end_true)
    a, b, p, q = (np.asarray(values, float)[known] for values in (start_true, end_true, start, end))
    shared = np.maximum(np.minimum(b, q) - np.maximum(a, p) + 1, 0)
    return shared / ((b - a + 1) + (q - p + 1) - shared)


def summary(
    start_true: np.ndarray, end_true: np.ndarray, start: np.ndarray, end: np.ndarray, window_bars: int
) -> dict[str, float]:
    """Mean errors in bars and as fractions of the window, hits and overlap; empty when no window has a pointer."""
    gaps = errors(start_true, end_true, start, end)
    if not len(gaps["center"]):
        return {}
    values = {f"{name}_mae_bars": float(gap.mean()) for name, gap in gaps.items()}
    values |= {f"{name}_mae_frac": float(gap.mean() / window_bars) for name, gap in gaps.items()}
    for bars in TOLERANCES_BARS:
        values[f"hit_at_{bars}"] = float((gaps["center"] <= bars).mean())
        values[f"ends_hit_at_{bars}"] = float(((gaps["start"] <= bars) & (gaps["end"] <= bars)).mean())
    return values | {"iou": float(iou(start_true, end_true, start, end).mean())}


def joint(right: np.ndarray, center_error_bars: np.ndarray, tolerance_bars: int = 3) -> float:
    """Share of windows whose class is right and whose center is within the tolerance."""
    return float((np.asarray(right, bool) & (center_error_bars <= tolerance_bars)).mean())
