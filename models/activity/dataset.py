"""Reads recordings in the layout of sp-sw-har: DATA/sNN/sNN_EE_{sp|sw}.csv, one file per execution and device."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LABELS = ("SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN")
DEVICES = ("sp", "sw")
CHANNELS = ("x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro")


@dataclass(frozen=True)
class Recording:
    """One execution by one subject on one device.

    t: (n,) float64, epoch milliseconds, not decreasing; v: (n, 6) float64, acceleration in m/s² with gravity,
    then angular rate in rad/s; y: (n,) int64, index into LABELS.
    """

    subject: str
    device: str
    execution: str
    t: np.ndarray
    v: np.ndarray
    y: np.ndarray


def read_recording(path: Path) -> Recording:
    """Reads one file. Raises ValueError with the file and the problem."""
    subject, execution, device = path.stem.split("_")
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    if not rows:
        raise ValueError(f"{path}: no readings")
    unknown = {row["label"] for row in rows} - set(LABELS)
    if unknown:
        raise ValueError(f"{path}: unknown labels {sorted(unknown)}; known are {LABELS}")
    t = np.array([float(row["timestamp"]) for row in rows])
    v = np.array([[float(row[channel]) for channel in CHANNELS] for row in rows])
    if not np.isfinite(v).all() or (np.diff(t) < 0).any():
        raise ValueError(f"{path}: a value is not finite, or time goes backwards")
    y = np.array([LABELS.index(row["label"]) for row in rows])
    return Recording(subject, device, execution, t, v, y)


def read_dataset(folder: Path) -> list[Recording]:
    """All recordings under `folder`, ordered by subject, device and time. `folder` contains DATA, or is it."""
    root = folder / "DATA" if (folder / "DATA").is_dir() else folder
    paths = sorted(root.glob("s*/s*_*_s[pw].csv"))
    if not paths:
        raise ValueError(f"{folder}: no files DATA/sNN/sNN_EE_{{sp|sw}}.csv")
    return sorted(map(read_recording, paths), key=lambda r: (r.subject, r.device, r.t[0]))
