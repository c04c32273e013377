"""Keeps ONNX Runtime and MLflow from telling their makers how they are used: they read this when they are imported."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
