"""Checks that training, the exported model and the specification agree. Needs no data.

    python check.py [--model DIR] [--bench]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import no_telemetry  # noqa: F401, I001
import numpy as np
import onnx
import onnxruntime as ort
import torch

from evaluate import score, session
from export import BATCH_SIZES, onnx_bytes
from network import Member, features, lowpasses
from resample import RESET_GAP_MS, ROWS, Resampler, resample


def jittery(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Readings in bursts: whole milliseconds, repeated, with gaps up to 150 ms."""
    steps = rng.choice([0, 0, 1, 5, 9, 10, 10, 11, 30, 150], n, p=[0.1, 0.05, 0.1, 0.1, 0.2, 0.2, 0.1, 0.1, 0.04, 0.01])
    t = 1_657_533_977_813.0 + np.cumsum(steps)
    return t, np.cumsum(rng.normal(size=(n, 6)), 0) * 0.3


def resampling_by_hand() -> None:
    """Rows every 25 ms from five readings, calculated by hand."""
    hops = []
    resampler = Resampler()
    for t, x in ((10.0, 1.0), (110.0, 3.0), (110.0, 5.0), (260.0, 8.0), (260.0 + RESET_GAP_MS + 1, 9.0)):
        hops += resampler.push(t, np.full(6, x))
    ((end, rows, first),) = hops
    expected = [1.3, 1.8, 2.3, 2.8, 5.3, 5.8, 6.3, 6.8, 7.3, 7.8]
    assert (end, first) == (250.0, True)
    np.testing.assert_allclose(rows[:, 0], expected, rtol=1e-6)


def resampling_agrees() -> None:
    """Reading by reading, the result has the same bits as for a whole segment."""
    for seed in range(20):
        t, v = jittery(np.random.default_rng(seed), 900)
        resampler = Resampler()
        one = [hop for reading in zip(t, v) for hop in resampler.push(*reading)]
        start, rows = resample(t, v)
        assert one[0][0] == start + 250 and one[0][2] and not one[1][2]
        np.testing.assert_array_equal(np.concatenate([rows for _, rows, _ in one]), rows)


def export_agrees() -> None:
    """Hop by hop in ONNX Runtime, the result equals that of the training network over the whole sequence."""
    torch.manual_seed(3)
    members = [Member(48, 64, 96, 0.0).eval() for _ in range(2)]
    t, v = jittery(np.random.default_rng(5), 2000)
    starts, outputs = score(session(onnx_bytes(members)), t, v)
    _, rows = resample(t, v)
    x = torch.from_numpy(rows)[None]
    with torch.no_grad():
        f = features(x, *lowpasses(x))
        whole = sum(torch.softmax(m(f), -1) for m in members)[0, 1:].numpy() / len(members)
    assert len(starts) == len(rows) // ROWS - 1
    np.testing.assert_allclose(outputs, whole, atol=1e-5)


def manifest_holds(folder: Path) -> None:
    """Hash, opset, tensors and probe match the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    model = (folder / manifest["file"]).read_bytes()
    assert hashlib.sha256(model).hexdigest() == manifest["sha256"]
    proto = onnx.load_from_string(model)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", manifest["opset"])]
    assert proto.ir_version == manifest["irVersion"]
    run = session(model)
    for stated, found in ((manifest["inputs"], run.get_inputs()), (manifest["outputs"], run.get_outputs())):
        assert [(x["name"], x["shape"]) for x in stated] == [(x.name, x.shape) for x in found]
        assert {x.type for x in found} == {"tensor(float)"}
    probe = json.loads((folder / manifest["probe"]).read_text())
    state = np.zeros((1, *manifest["state"][0]["shape"]), np.float32)
    for hop in probe["hops"]:
        rows = np.array(hop["readings"], np.float32).reshape(1, ROWS, 6)
        p, state = run.run(None, {"readings": rows, "state": state})
        np.testing.assert_allclose(p[0], hop["probabilities"], atol=probe["tolerance"])
    np.testing.assert_allclose(state[0], probe["finalState"], atol=probe["tolerance"])


def same_bits(folder: Path) -> None:
    """In each batch size, a row's bits do not depend on its position, its neighbours or padding, not even on NaN."""
    run, rng = session(folder / "model.onnx"), np.random.default_rng(0)
    size = run.get_inputs()[1].shape[1]
    for batch in BATCH_SIZES:
        x, s = inputs(rng, batch, size)
        alone = run.run(None, {"readings": x, "state": s})
        for _ in range(50):
            order = rng.permutation(batch)
            other = run.run(None, {"readings": x[order], "state": s[order]})
            row, place = rng.integers(batch), rng.integers(batch)
            y, z = inputs(rng, batch, size)
            y[:], z[:] = (0, 0) if rng.random() < 0.5 else (np.nan, np.nan)
            y[place], z[place] = x[row], s[row]
            padded = run.run(None, {"readings": y, "state": z})
            for a, b, c in zip(alone, other, padded):
                assert (bits(a[order]) == bits(b)).all() and (bits(a[row]) == bits(c[place])).all(), batch


def inputs(rng: np.random.Generator, batch: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of plausible readings, and states with the `started` flag (index 6) set or not."""
    s = rng.normal(size=(batch, size)).astype(np.float32)
    s[:, 6] = rng.integers(0, 2, batch)
    return (rng.normal(size=(batch, ROWS, 6)) * 5).astype(np.float32), s


def bits(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x).view(np.uint32)


def bench(folder: Path) -> None:
    """Prints rows per second on one thread, by batch size."""
    run, rng = session(folder / "model.onnx"), np.random.default_rng(0)
    for batch in BATCH_SIZES:
        x, s = inputs(rng, batch, run.get_inputs()[1].shape[1])
        runs, begin = 0, time.process_time()
        while time.process_time() - begin < 1:
            run.run(None, {"readings": x, "state": s})
            runs += 1
        rate = runs * batch / (time.process_time() - begin)
        print(f"batch {batch:3d}: {rate:8.0f} rows/s; 4,000 rows/s take {4000 / rate:.1%} of a core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent)
    parser.add_argument("--bench", action="store_true")
    args = parser.parse_args()
    resampling_by_hand()
    resampling_agrees()
    export_agrees()
    manifest_holds(args.model)
    same_bits(args.model)
    print(f"all hold (onnxruntime {ort.__version__})")
    if args.bench:
        bench(args.model)


if __name__ == "__main__":
    main()
