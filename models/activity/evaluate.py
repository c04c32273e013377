"""Evaluates a model folder (model.onnx, manifest.json) on recordings, with one stream per subject and device.

    python evaluate.py --data DIR [--model DIR] [--joined] [--json]

Readings go one by one through the reference resampler. Each hop goes through ONNX Runtime alone, with the state of the
hop before. With `--joined`, the recordings of a subject follow each other with gaps of 10 ms to 1 s, so that the state
is never reset. Without it, the gaps are those of the recordings (over 14 s), and each recording resets the state.
"""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from pathlib import Path

import no_telemetry  # noqa: F401, I001
import numpy as np
import onnxruntime as ort

from augment import Segment, join
from dataset import LABELS, Recording, read_dataset
from resample import HOP_MS, Resampler

AWAY_MS = 250
"""A hop is away from label changes if there is none from this time before its start to this time after its end."""


def session(model: Path | bytes) -> ort.InferenceSession:
    """The model, on one CPU thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def score(model: ort.InferenceSession, t: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outputs of a stream: starts of the described hops (n,), probabilities (n, labels)."""
    size = model.get_inputs()[1].shape[1]
    resampler, starts, outputs = Resampler(), [], []
    state = np.zeros((1, size), np.float32)
    for time, value in zip(t, v):
        for end, rows, first in resampler.push(time, value):
            if first:
                state = np.zeros((1, size), np.float32)
            probabilities, state = model.run(None, {"readings": rows[None], "state": state})
            if not first:
                starts.append(end - 2 * HOP_MS)
                outputs.append(probabilities[0])
    return np.array(starts), np.array(outputs)


def truth(t: np.ndarray, y: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per hop: the label of most readings (the lower index in a tie, -1 without readings), and whether it is away."""
    begin, end = np.searchsorted(t, starts), np.searchsorted(t, starts + HOP_MS)
    counts = np.array([np.bincount(y[b:e], minlength=len(LABELS)) for b, e in zip(begin, end)])
    changes = t[1:][np.diff(y) != 0]
    near = np.searchsorted(changes, starts + HOP_MS + AWAY_MS) > np.searchsorted(changes, starts - AWAY_MS)
    return np.where(counts.any(1), counts.argmax(1), -1), ~near


def stream(recordings: list[Recording], joined: bool) -> Segment:
    """One subject's recordings on one device, in the order of time."""
    parts = [(r.t, r.v, r.y) for r in recordings]
    if joined:
        gaps = np.random.default_rng(1).choice([10.0, 200.0, 1000.0], len(parts))
        return join(parts, gaps, parts[0][0][0])
    return tuple(np.concatenate([p[i] for p in parts]) for i in range(3))


def confusion(
    model: ort.InferenceSession, recordings: list[Recording], joined: bool
) -> dict[tuple[str, str], np.ndarray]:
    """Confusion matrices by subject and device: counts of hops in [all, away] × true label × the model's label."""
    result = {}
    for key, group in groupby(recordings, lambda r: (r.subject, r.device)):
        t, v, y = stream(list(group), joined)
        starts, outputs = score(model, t, v)
        true, away = truth(t, y, starts)
        matrix = np.zeros((2, len(LABELS), len(LABELS)), int)
        for i, use in enumerate((true >= 0, (true >= 0) & away)):
            np.add.at(matrix[i], (true[use], outputs[use].argmax(1)), 1)
        result[key] = matrix
    return result


def metrics(matrix: np.ndarray) -> dict:
    """The metrics of one [all, away] pair of confusion matrices, rounded to four decimals."""
    every, away = matrix
    correct = np.diag(every)
    f1 = 2 * correct / np.maximum(every.sum(0) + every.sum(1), 1)
    return {
        "hops": int(every.sum()),
        "accuracy": round(float(correct.sum() / every.sum()), 4),
        "macroF1": round(float(f1.mean()), 4),
        "majorityBaseline": round(float(every.sum(1).max() / every.sum()), 4),
        "awayHops": int(away.sum()),
        "awayAccuracy": round(float(np.diag(away).sum() / max(away.sum(), 1)), 4),
        "f1": {label: round(float(x), 4) for label, x in zip(LABELS, f1)},
        "recall": {label: round(float(x), 4) for label, x in zip(LABELS, correct / np.maximum(every.sum(1), 1))},
        "confusion": every.tolist(),
    }


def report(matrices: dict[tuple[str, str], np.ndarray]) -> dict:
    """Metrics by device over all subjects, and accuracy by device and subject."""
    devices = sorted({device for _, device in matrices})
    by_device = {d: metrics(sum(m for (_, device), m in matrices.items() if device == d)) for d in devices}
    by_subject = {d: {s: metrics(m)["accuracy"] for (s, device), m in matrices.items() if device == d} for d in devices}
    return {"labels": list(LABELS), "awayMs": AWAY_MS, "devices": by_device, "accuracyBySubject": by_subject}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent)
    parser.add_argument("--joined", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = report(confusion(session(args.model / "model.onnx"), read_dataset(args.data), args.joined))
    if args.json:
        print(json.dumps(result, indent=1))
        return
    for device, f in result["devices"].items():
        print(f"{device}: {f['hops']} hops, accuracy {f['accuracy']}, macro F1 {f['macroF1']}, "
              f"away {f['awayAccuracy']} of {f['awayHops']}, majority {f['majorityBaseline']}")
        for label, row in zip(LABELS, f["confusion"]):
            print(f"  {label:13s} F1 {f['f1'][label]:.4f}  {row}")


if __name__ == "__main__":
    main()
