"""Resamples readings of any rate, with jitter or in bursts, to rows on a fixed grid; see README.md, "Resampling".

`Resampler` is the specification, one reading at a time. `resample` does the same for a whole segment at once, and is
used for training. `check.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RATE_HZ = 40
HOP_MS = 250
ROW_MS = 1000 / RATE_HZ
ROWS = RATE_HZ * HOP_MS // 1000
RESET_GAP_MS = 2000


class Resampler:
    """Turns one sensor's readings into hops of ROWS rows. The numbers in comments are the rules of README.md."""

    def __init__(self) -> None:
        self.t: float | None = None

    def push(self, t: float, v: np.ndarray) -> Iterator[tuple[float, np.ndarray, bool]]:
        """Takes a reading (t in epoch ms, v six float64) and yields each hop that it completes.

        A hop is (end in epoch ms, rows (ROWS, 6) float32, first). With `first`, the state must be zeros.
        """
        if self.t is not None and t < self.t:  # 2
            return
        if self.t is None or t - self.t > RESET_GAP_MS:  # 3
            self.start, self.rows, self.first = np.floor(t / HOP_MS) * HOP_MS, [], True
            self.t, self.v = -np.inf, v
        while (g := self.start + (len(self.rows) + 1) * ROW_MS) < t:  # 4
            weight = (g - self.t) / (t - self.t) if np.isfinite(self.t) else 0.0
            self.rows.append((self.v + (v - self.v) * weight).astype(np.float32))
            if len(self.rows) == ROWS:  # 5
                self.start += HOP_MS
                yield self.start, np.stack(self.rows), self.first
                self.rows, self.first = [], False
        self.t, self.v = t, v


def resample(t: np.ndarray, v: np.ndarray) -> tuple[float, np.ndarray]:
    """Resamples a segment without a gap over RESET_GAP_MS: start of the first hop, rows of all complete hops (n, 6)."""
    start = float(np.floor(t[0] / HOP_MS) * HOP_MS)
    hops = int(np.ceil((t[-1] - start) / HOP_MS)) - 1
    grid = start + np.arange(1, hops * ROWS + 1) * ROW_MS
    after = np.searchsorted(t, grid, "right").clip(1, len(t) - 1)
    before = after - 1
    weight = ((grid - t[before]) / np.maximum(t[after] - t[before], 1e-9)).clip(0, 1)[:, None]
    rows = v[before] + (v[after] - v[before]) * weight
    rows[grid < t[0]] = v[0]
    return start, rows.astype(np.float32)


def targets(t: np.ndarray, y: np.ndarray, start: float, hops: int, labels: int) -> np.ndarray:
    """Number of readings per label in each hop [start + k·HOP_MS, + HOP_MS): (hops, labels) float32."""
    hop = ((t - start) // HOP_MS).astype(int)
    counts = np.zeros((hops, labels), np.float32)
    inside = hop < hops
    np.add.at(counts, (hop[inside], y[inside]), 1)
    return counts
