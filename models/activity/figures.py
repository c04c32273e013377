"""Figures of the training set that tell input which differs from it: mean and standard deviation of each channel."""

from __future__ import annotations

import numpy as np

from dataset import Recording
from resample import resample


def input_statistics(recordings: list[Recording]) -> dict[str, list[float]]:
    """Mean and population standard deviation of each channel over all rows that the model is trained on, in SI units."""
    rows = np.concatenate([resample(r.t, r.v)[1] for r in recordings]).astype(np.float64)
    as_list = lambda a: [float(f"{x:.6g}") for x in a]  # noqa: E731
    return {"mean": as_list(rows.mean(0)), "std": as_list(rows.std(0))}
