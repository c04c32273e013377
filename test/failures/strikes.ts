import { interceptPorts, type PortCall } from "../../processor/engine/intercept.ts";
import type { TaskPorts } from "../../processor/engine/ports.ts";

export interface Strike {
  /** Where a real process is struck. */
  readonly point: PortCall;
  readonly moment: "before" | "within" | "after";
  /** Which time the point is reached, from 1. */
  readonly occurrence: number;
  /** Kill: `kill -9`; stop: SIGSTOP, a zombie in the making; fail: the call fails at that moment, its outcome unknown. */
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
  const at = async <T>(point: PortCall, call: () => Promise<T>): Promise<T> => {
    if (point !== strike.point || ++seen !== strike.occurrence) return call();
    process.send?.({ struck: strike });
    if (strike.moment === "before") hit();
    if (strike.moment === "within") setTimeout(hit, WITHIN_MS);
    const result = await call();
    if (strike.moment === "after") hit();
    return result;
  };
  return (ports) => interceptPorts(ports, at);
}
