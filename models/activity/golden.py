"""Writes test/processor/inference/golden.json: a stream, and the offline results of the model for it.

    python models/activity/golden.py

Readings go through the reference resampler (resample.py) and ONNX Runtime in Python, one hop at a time. The stream has
jitter, repeated times, a gap below and a gap above the reset gap. Run it again whenever the model changes.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from evaluate import score, session

HERE = Path(__file__).parent
START = 1_657_533_977_013


def stream() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    steps = random.choice([0, 9, 10, 21, 40], 560, p=[0.1, 0.3, 0.3, 0.2, 0.1]).astype(float)
    steps[0], steps[200], steps[380] = 0, 900, 3_100
    t = START + np.cumsum(steps)
    phase = (t - START)[:, None] / 1_000 * np.array([1.9, 2.3, 1.1, 3.1, 0.7, 1.7]) * 2 * np.pi
    motion = np.sin(phase) * np.array([3, 2, 4, 1.5, 1, 2]) + np.array([0.5, -1, 9.6, 0, 0, 0.1])
    v = motion + random.normal(0, 0.2, (len(t), 6))
    return t, v.round(4)


def main() -> None:
    model = HERE / "model.onnx"
    t, v = stream()
    starts, probabilities = score(session(model), t, v)
    golden = {
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "t": t.tolist(),
        "samples": v.tolist(),
        "starts": starts.tolist(),
        "probabilities": np.asarray(probabilities, dtype=float).round(7).tolist(),
    }
    (HERE / "../../test/processor/inference/golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
