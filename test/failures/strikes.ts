import type { SnapshotStore, TaskInput, TaskOutput, TaskPorts } from "../../processor/engine/ports.ts";

/** Points of the protocol where a real process can be struck; `within`: a moment after the call began. */
export const points = ["fence", "claim", "bounds", "manifest:read", "manifest:write", "segment:get", "read", "send", "commit", "segment:put", "segment:delete"] as const;
export type Point = (typeof points)[number];
export interface Strike {
  readonly point: Point;
  readonly moment: "before" | "within" | "after";
  /** Which time the point is reached, from 1. */
  readonly occurrence: number;
  /** kill: `kill -9`; stop: SIGSTOP, a zombie in the making; fail: the call fails at that moment, its outcome unknown. */
  readonly action: "kill" | "stop" | "fail";
}

const WITHIN_MS = 3;

/** Puts a strike between the engine and its ports. Occurrences are counted over all tasks of the process. */
export function strikingPorts(strike: Strike): (ports: TaskPorts) => TaskPorts {
  let seen = 0;
  const hit = (): void => {
    if (strike.action === "fail") throw new Error(`struck ${strike.moment} ${strike.point}: request timed out`);
    process.kill(process.pid, strike.action === "kill" ? "SIGKILL" : "SIGSTOP");
  };
  const at = async <T>(point: Point, call: () => Promise<T>): Promise<T> => {
    if (point !== strike.point || ++seen !== strike.occurrence) return call();
    process.send?.({ struck: strike });
    if (strike.moment === "before") hit();
    if (strike.moment === "within") setTimeout(hit, WITHIN_MS);
    const result = await call();
    if (strike.moment === "after") hit();
    return result;
  };
  return ({ input, output, snapshots }) => ({ input: strikingInput(input, at), output: strikingOutput(output, at), snapshots: strikingSnapshots(snapshots, at) });
}

type At = <T>(point: Point, call: () => Promise<T>) => Promise<T>;

function strikingInput(input: TaskInput, at: At): TaskInput {
  return {
    bounds: () => at("bounds", () => input.bounds()),
    read: (waitMs) => at("read", () => input.read(waitMs)),
    seek: (offset) => input.seek(offset),
    wake: () => input.wake(),
    lag: () => input.lag(),
    close: () => input.close(),
  };
}

function strikingOutput(output: TaskOutput, at: At): TaskOutput {
  return {
    fence: () => at("fence", () => output.fence()),
    claim: (token) => at("claim", () => output.claim(token)),
    send: (outputs) => at("send", () => output.send(outputs)),
    commit: (progress, last) => at("commit", () => output.commit(progress, last)),
    discard: () => output.discard(),
  };
}

function strikingSnapshots(store: SnapshotStore, at: At): SnapshotStore {
  return {
    readManifest: (task) => at("manifest:read", () => store.readManifest(task)),
    writeManifest: (task, next, expected) => at("manifest:write", () => store.writeManifest(task, next, expected)),
    putSegment: (task, key, bytes) => at("segment:put", () => store.putSegment(task, key, bytes)),
    getSegment: (task, key) => at("segment:get", () => store.getSegment(task, key)),
    deleteSegment: (task, key) => at("segment:delete", () => store.deleteSegment(task, key)),
  };
}
