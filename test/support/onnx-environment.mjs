import { TestEnvironment } from "jest-environment-node";

/** Node's test environment with the Float32Array of the process, the only one that ONNX Runtime accepts. */
export default class OnnxEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    this.global.Float32Array = Float32Array;
  }
}
