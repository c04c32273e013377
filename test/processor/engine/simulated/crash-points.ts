import type { Fault, FaultPlan } from "./kernel.ts";

/** A fault at one point of the protocol. */
export interface InjectedFault {
  readonly point: string;
  readonly moment: "before" | "after";
  readonly fault: Fault;
  /** Which time the point is reached, counted from the fault before, from 1. */
  readonly occurrence: number;
}

/** Points that a task passes when it begins. */
export const RECOVERY = [
  "fence",
  "claim:send",
  "claim:commit",
  "claim:read",
  "manifest:read",
  "manifest:write",
  "bounds",
  "segment:get",
  "read",
];
/** Points that it passes while it runs. */
export const RUNNING = [
  "read",
  "send",
  "commit:send",
  "commit:end",
  "segment:put",
  "manifest:write",
  "segment:delete",
  "heartbeat",
];
const FAULTS: readonly Fault[] = ["crash", "error-before", "error-after"];

/** Every kind of fault at each of these points. */
export function kinds(points: readonly string[]): InjectedFault[] {
  return points.flatMap((point) =>
    (["before", "after"] as const).flatMap((moment) =>
      FAULTS.map((fault) => ({ point, moment, fault, occurrence: 1 })),
    ),
  );
}

/** Injects these faults, one after another. */
export function planOf(faults: readonly InjectedFault[]): FaultPlan {
  let next = 0;
  let seen = 0;
  return (_process, point, moment) => {
    const injected = faults[next];
    if (!injected || injected.point !== point || injected.moment !== moment || ++seen < injected.occurrence)
      return null;
    next++;
    seen = 0;
    return injected.fault;
  };
}
