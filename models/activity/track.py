"""Logs a trained model to an MLflow file store, as a run that `npm run model -- import` takes.

    python track.py --model DIR --store DIR [--data DIR]      a model folder that is there already
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import no_telemetry  # noqa: F401, I001
from dataset import Recording, read_dataset
from evaluate import confusion, report, session

os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
from mlflow import MlflowClient  # noqa: E402

EXPERIMENT = "activity"
DESCRIBED = ("name", "version", "sampleRateHz", "hopMs", "decisionDelayMs", "resetGapMs")
"""What of the manifest an ONNX file does not say, as it is; lists are JSON."""
DESCRIBED_LISTS = ("labels", "batchSizes", "inputStatistics")


def fit(folder: Path, recordings: list[Recording]) -> dict[str, float]:
    """How well the model in `folder` labels these recordings: accuracy and macro F1 of each device, as recorded."""
    devices = report(confusion(session(folder / "model.onnx"), recordings, False))["devices"]
    return {f"{device}.{name}": figures[name] for device, figures in devices.items() for name in ("accuracy", "macroF1")}


def log_run(store: Path, folder: Path, parameters: dict[str, object], metrics: dict[str, float]) -> Path:
    """Logs the model in `folder` (model.onnx, probe.json, manifest.json). Returns the run's folder in the store."""
    manifest = json.loads((folder / "manifest.json").read_text())
    client = MlflowClient(tracking_uri=store.resolve().as_uri())
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    run = client.create_run(experiment, tags=tags(manifest), run_name=f"{manifest['name']} {manifest['version']}").info
    for name, value in parameters.items():
        client.log_param(run.run_id, name, value)
    for name, value in metrics.items():
        client.log_metric(run.run_id, name, value)
    with TemporaryDirectory() as temporary:
        for file in (manifest["file"], manifest["probe"]):
            (Path(temporary) / file).write_bytes((folder / file).read_bytes())
        (Path(temporary) / "MLmodel").write_text(json.dumps(mlmodel(manifest, run.run_id), indent=1) + "\n")
        client.log_artifacts(run.run_id, temporary, "model")
    client.set_terminated(run.run_id)
    return store / experiment / run.run_id


def tags(manifest: dict) -> dict[str, str]:
    """What the run says of the model, as docs/models.md names it."""
    (state,) = manifest["state"]
    return {
        **{f"millrace.{name}": str(manifest[name]) for name in DESCRIBED},
        **{f"millrace.{name}": json.dumps(manifest[name]) for name in DESCRIBED_LISTS if name in manifest},
        "millrace.stateInput": state["input"],
        "millrace.stateOutput": state["output"],
    }


def mlmodel(manifest: dict, run_id: str) -> dict:
    """The file MLmodel (MLflow Models, storage format); JSON is YAML. MLflow's own classes for it need pandas."""
    return {
        "run_id": run_id,
        "flavors": {"onnx": {"data": manifest["file"]}},
        "signature": {part: json.dumps([tensor(each) for each in manifest[part]]) for part in ("inputs", "outputs")},
    }


def tensor(described: dict) -> dict:
    """A tensor of a manifest as a signature has it: an open dimension is -1."""
    shape = [size if isinstance(size, int) else -1 for size in described["shape"]]
    return {"name": described["name"], "type": "tensor", "tensor-spec": {"dtype": described["dtype"], "shape": shape}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    metrics = {} if args.data is None else fit(args.model, read_dataset(args.data))
    print(log_run(args.store, args.model, {}, metrics))


if __name__ == "__main__":
    main()
