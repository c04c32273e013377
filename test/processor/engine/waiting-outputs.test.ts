import { expect, test } from "@jest/globals";
import { WaitingOutputs } from "../../../processor/engine/waiting-outputs.ts";

/** Weighs 100 and the 10 bytes of key, value, header name and header value. */
const output = { topic: "out", key: "k1", value: Buffer.from("four"), headers: { ab: "cd" } };

test("outputs count until they are sent, in the task and in the process", () => {
  const process = { bytes: 5 };
  const limits = { maxUnsentOutputs: 2, maxUnsentBytes: 1_000, maxProcessUnsentBytes: 1_000 };
  const waiting = new WaitingOutputs(limits, process);
  const facts = (): unknown[] => [waiting.count, waiting.bytes, process.bytes, waiting.isEmpty, waiting.isFull];
  expect(facts()).toEqual([0, 0, 5, true, false]);
  waiting.add([output, output]);
  expect(facts()).toEqual([2, 220, 225, false, false]);
  const { outputs, sent } = waiting.take();
  waiting.add([output]);
  expect([outputs.length, ...facts()]).toEqual([2, 3, 330, 335, false, true]);
  sent();
  expect(facts()).toEqual([1, 110, 115, false, false]);
  waiting.close();
  expect(facts()).toEqual([0, 0, 5, false, false]);
});

test("a task is full by its bytes, and by those of the process only while it has outputs of its own", () => {
  const process = { bytes: 0 };
  const limits = { maxUnsentOutputs: 99, maxUnsentBytes: 219, maxProcessUnsentBytes: 329 };
  const [one, other] = [new WaitingOutputs(limits, process), new WaitingOutputs(limits, process)];
  one.add([output, output]);
  expect([one.isFull, other.isFull]).toEqual([true, false]);
  const half = new WaitingOutputs({ ...limits, maxUnsentBytes: 220 }, process);
  half.add([output]);
  expect([process.bytes, half.isFull, other.isFull]).toEqual([330, true, false]);
});
