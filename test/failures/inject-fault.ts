import { interceptPorts, type PortCall } from "../../processor/engine/intercept.ts";
import type { TaskPorts } from "../../processor/engine/ports.ts";

/** One fault in a real process. */
export interface InjectedFault {
  /** The call at which it happens. */
  readonly point: PortCall;
  readonly moment: "before" | "within" | "after";
  /** Which time the point is reached, from 1. */
  readonly occurrence: number;
  /** Kill: SIGKILL. Stop: SIGSTOP, which makes a zombie. Fail: the call fails at that moment, its outcome unknown. */
  readonly action: "kill" | "stop" | "fail";
}

const WITHIN_MS = 3;

/** Ports with a fault between them and the engine. Occurrences are counted over all tasks of the process. */
export function faultyPorts(fault: InjectedFault): (ports: TaskPorts) => TaskPorts {
  let seen = 0;
  const hit = (): void => {
    if (fault.action === "fail") throw new Error(`fault ${fault.moment} ${fault.point}: request timed out`);
    process.kill(process.pid, fault.action === "kill" ? "SIGKILL" : "SIGSTOP");
  };
  const at = async <T>(point: PortCall, call: () => Promise<T>): Promise<T> => {
    if (point !== fault.point || ++seen !== fault.occurrence) return call();
    process.send?.({ injected: fault });
    if (fault.moment === "before") hit();
    if (fault.moment === "within") setTimeout(hit, WITHIN_MS);
    const result = await call();
    if (fault.moment === "after") hit();
    return result;
  };
  return (ports) => interceptPorts(ports, at);
}
