import type { SnapshotStore, TaskInput, TaskOutput, TaskPorts } from "./ports.ts";

/** The calls to ports that have an answer to wait for, and so can be late, fail or stay unanswered. */
export const portCalls = [
  "standing",
  "fence",
  "claim",
  "bounds",
  "manifest:read",
  "manifest:write",
  "segment:get",
  "attempt",
  "read",
  "send",
  "commit",
  "segment:put",
  "segment:delete",
] as const;
export type PortCall = (typeof portCalls)[number];

/** Runs in place of each call. May call `work` or not, delay it, make it fail, or never answer. */
export type Around = <T>(call: PortCall, work: () => Promise<T>) => Promise<T>;

/** The same ports with `around` between the engine and each of `portCalls`. All other methods are passed through. */
export function interceptPorts({ input, output, snapshots }: TaskPorts, around: Around): TaskPorts {
  return {
    input: interceptInput(input, around),
    output: interceptOutput(output, around),
    snapshots: interceptSnapshots(snapshots, around),
  };
}

function interceptInput(input: TaskInput, around: Around): TaskInput {
  return {
    bounds: () => around("bounds", () => input.bounds()),
    read: (waitMs) => around("read", () => input.read(waitMs)),
    seek: (offset) => input.seek(offset),
    wake: () => input.wake(),
    lag: () => input.lag(),
    close: () => input.close(),
  };
}

function interceptOutput(output: TaskOutput, around: Around): TaskOutput {
  return {
    standing: () => around("standing", () => output.standing()),
    hold: (hold) => output.hold(hold),
    fence: () => around("fence", () => output.fence()),
    claim: (token, attempt) => around("claim", () => output.claim(token, attempt)),
    attempt: (attempt) => around("attempt", () => output.attempt(attempt)),
    send: (outputs) => around("send", () => output.send(outputs)),
    commit: (progress, last, withGroupOffset) => around("commit", () => output.commit(progress, last, withGroupOffset)),
    discard: () => output.discard(),
  };
}

function interceptSnapshots(store: SnapshotStore, around: Around): SnapshotStore {
  return {
    readManifest: (task) => around("manifest:read", () => store.readManifest(task)),
    writeManifest: (task, next, expected) => around("manifest:write", () => store.writeManifest(task, next, expected)),
    putSegment: (task, key, bytes) => around("segment:put", () => store.putSegment(task, key, bytes)),
    getSegment: (task, key) => around("segment:get", () => store.getSegment(task, key)),
    deleteSegment: (task, key) => around("segment:delete", () => store.deleteSegment(task, key)),
  };
}
