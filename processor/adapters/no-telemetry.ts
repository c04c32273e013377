/**
 * ONNX Runtime reads this variable when it is loaded. Without it, since version 1.29, each process on Linux and macOS
 * writes an identifier of the machine into the user's cache and tells Microsoft what it runs
 * (https://github.com/microsoft/onnxruntime/pull/27379). So this module is imported before it.
 */
process.env["ORT_DISABLE_TELEMETRY"] = "1";
