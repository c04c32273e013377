"""Exports members to model.onnx, with a manifest (how to run it) and a probe (what it must answer)."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch

from dataset import LABELS
from evaluate import session
from network import ACC_SCALE, GYRO_SCALE, Member, Serving
from resample import HOP_MS, RATE_HZ, RESET_GAP_MS, ROWS

OPSET = 20
PROBE_HOPS = 3
BATCH_SIZES = [1, 4, 8, 16, 32, 64, 128]
"""Batch sizes for which check.py shows that a row's output bits do not depend on the other rows."""


def onnx_bytes(members: list[Member]) -> bytes:
    """The serving graph with an open batch dimension. Its bytes depend only on the weights."""
    model = Serving(members).eval()
    example = torch.zeros(2, ROWS, 6), torch.zeros(2, sum(model.sizes))
    batch = torch.export.Dim("batch")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            model, example, path, dynamo=True, opset_version=OPSET, external_data=False, verbose=False,
            input_names=["readings", "state"], output_names=["probabilities", "next_state"],
            dynamic_shapes={"readings": {0: batch}, "state": {0: batch}},
        )
        proto = onnx.load(path)
    return strip(proto).SerializeToString(deterministic=True)


def strip(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Removes the exporter's metadata about source files, because it contains folder names of this machine."""
    del proto.metadata_props[:], proto.graph.metadata_props[:], proto.functions[:]
    proto.doc_string = proto.graph.doc_string = ""
    for item in [*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output,
                 *proto.graph.initializer]:
        item.doc_string = ""
        del item.metadata_props[:]
    onnx.checker.check_model(proto, full_check=True)
    return proto


def probe(model: bytes) -> dict:
    """PROBE_HOPS hops of an artificial motion from zero state, and the model's answers in a batch of one."""
    run = session(model)
    i = np.arange(PROBE_HOPS * ROWS)[:, None]
    turn = np.array([1.0, 0.7, 0.4, 1.3, 0.9, 0.6])
    rows = np.array([1.5, -9.2, 2.5, 0, 0, 0]) + np.sin(i * turn / 4) * [2, 3, 1, 1, 0.5, 2]
    rows = np.round(rows, 4).astype(np.float32).reshape(PROBE_HOPS, ROWS, 6)
    state = np.zeros((1, run.get_inputs()[1].shape[1]), np.float32)
    answers = []
    for hop in rows:
        p, state = run.run(None, {"readings": hop[None], "state": state})
        answers.append(p[0])
    as_list = lambda a: [float(f"{x:.9g}") for x in np.asarray(a, np.float64).ravel()]  # noqa: E731
    return {
        "hops": [{"readings": as_list(hop), "probabilities": as_list(p)} for hop, p in zip(rows, answers)],
        "finalState": as_list(state),
        "tolerance": 1e-4,
    }


def manifest(model: bytes, version: str, statistics: dict) -> dict:
    proto = onnx.load(io.BytesIO(model))
    size = proto.graph.input[1].type.tensor_type.shape.dim[1].dim_value
    state = ["batch", size]
    tensor = lambda name, shape: {"name": name, "shape": shape, "dtype": "float32"}  # noqa: E731
    return {
        "schema": 1,
        "name": "activity",
        "version": version,
        "stage": "live",
        "file": "model.onnx",
        "sha256": hashlib.sha256(model).hexdigest(),
        "opset": OPSET,
        "irVersion": proto.ir_version,
        "inputs": [tensor("readings", ["batch", ROWS, 6]), tensor("state", state)],
        "outputs": [tensor("probabilities", ["batch", len(LABELS)]), tensor("next_state", state)],
        "state": [{"input": "state", "output": "next_state", "shape": [size], "initial": 0}],
        "batchSizes": BATCH_SIZES,
        "channels": ["ax", "ay", "az", "gx", "gy", "gz"],
        "sampleRateHz": RATE_HZ,
        "hopMs": HOP_MS,
        "rowsPerHop": ROWS,
        "decisionDelayMs": HOP_MS,
        "resetGapMs": RESET_GAP_MS,
        "labels": list(LABELS),
        "scaling": {
            "inModel": True,
            "accelerationDivisor": ACC_SCALE,
            "angularRateDivisor": GYRO_SCALE,
        },
        "probe": "probe.json",
        "inputStatistics": statistics,
    }


def write_model(members: list[Member], folder: Path, version: str, statistics: dict) -> None:
    """Writes model.onnx, probe.json and manifest.json to `folder`. `statistics` are those of figures.py."""
    model = onnx_bytes(members)
    (folder / "model.onnx").write_bytes(model)
    (folder / "probe.json").write_text(json.dumps(probe(model)) + "\n")
    (folder / "manifest.json").write_text(json.dumps(manifest(model, version, statistics), indent=2) + "\n")
