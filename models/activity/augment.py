"""Varies recordings as a new person, device or mounting could, and joins them to streams."""

from __future__ import annotations

import numpy as np

from dataset import Recording

Segment = tuple[np.ndarray, np.ndarray, np.ndarray]
"""t (n,) in ms, v (n, 6), y (n,); as in dataset.Recording."""

HALF_TURNS = [np.diag(d).astype(float) for d in ((1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1))]
"""The four ways to put a phone into a pocket: front or back, upright or inverted."""


def small_rotation(rng: np.random.Generator, degrees: float) -> np.ndarray:
    axis = rng.normal(size=3)
    x, y, z = axis / np.linalg.norm(axis)
    angle = np.deg2rad(rng.normal() * degrees)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def vary(recordings: list[Recording], rng: np.random.Generator) -> list[Segment]:
    """Varies the recordings of one stream: the same mounting and sensor errors for all, pace and rate for each."""
    turn = small_rotation(rng, 15)
    if recordings[0].device == "sp":
        turn = turn @ HALF_TURNS[rng.integers(4)]
    scale_a, scale_w = np.exp(rng.normal() * 0.03), np.exp(rng.normal() * 0.06)
    bias_a, bias_w = rng.normal(size=3) * 0.15, rng.normal(size=3) * 0.02
    noise = abs(rng.normal()) * 0.5
    return [_vary_one(r, rng, turn, (scale_a, scale_w), (bias_a, bias_w), noise) for r in recordings]


def _vary_one(r, rng, turn, scale, bias, noise) -> Segment:  # noqa: ANN001
    pace = np.exp(rng.normal() * 0.12)
    a = r.v[:, :3] @ turn.T * scale[0] + bias[0] + rng.normal(size=(len(r.t), 3)) * 0.08 * noise
    w = r.v[:, 3:] @ turn.T * scale[1] / pace + bias[1] + rng.normal(size=(len(r.t), 3)) * 0.03 * noise
    keep = np.ones(len(r.t), bool)
    if rng.random() < 0.3:
        keep = rng.random(len(r.t)) > rng.random() * 0.5
        keep[0] = True
    t = (r.t - r.t[0]) * pace
    return t[keep], np.concatenate([a, w], 1)[keep], r.y[keep]


def cut(segment: Segment, rng: np.random.Generator) -> Segment:
    """Starts the segment at a random point of its first three quarters, because a stream can start at any moment."""
    begin = rng.integers(0, len(segment[0]) * 3 // 4)
    return tuple(part[begin:] for part in segment)


def join(segments: list[Segment], gaps_ms: np.ndarray, start_ms: float) -> Segment:
    """Joins segments, beginning at start_ms, with a gap of gaps_ms[i] between the segments i and i + 1."""
    times, end = [], start_ms
    for i, (t, _, _) in enumerate(segments):
        times.append(t - t[0] + end)
        end = times[-1][-1] + (gaps_ms[i] if i < len(segments) - 1 else 0)
    return np.concatenate(times), np.concatenate([s[1] for s in segments]), np.concatenate([s[2] for s in segments])
