import { TestEnvironment } from "jest-environment-node";

/** Node's test environment with the process's own Float32Array: ONNX Runtime makes tensors of no other. */
export default class OnnxEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    this.global.Float32Array = Float32Array;
  }
}
