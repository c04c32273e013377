import { expect, test } from "@jest/globals";
import { interceptPorts, portCalls, type PortCall } from "../../../processor/engine/intercept.ts";
import type { TaskPorts } from "../../../processor/engine/ports.ts";

/** Every method of the ports with its arguments, and the call that it is; null where nothing waits for an answer. */
const methods: readonly [port: keyof TaskPorts, method: string, given: readonly unknown[], call: PortCall | null][] = [
  ["output", "standing", [], "standing"],
  ["output", "fence", [], "fence"],
  ["output", "claim", ["token", "an attempt"], "claim"],
  ["input", "bounds", [], "bounds"],
  ["snapshots", "readManifest", ["task"], "manifest:read"],
  ["snapshots", "writeManifest", ["task", "next", "expected"], "manifest:write"],
  ["snapshots", "getSegment", ["task", "key"], "segment:get"],
  ["output", "attempt", ["an attempt"], "attempt"],
  ["input", "read", [500], "read"],
  ["output", "send", ["outputs"], "send"],
  ["output", "commit", ["progress", "last"], "commit"],
  ["snapshots", "putSegment", ["task", "key", "bytes"], "segment:put"],
  ["snapshots", "deleteSegment", ["task", "key"], "segment:delete"],
  ["output", "hold", ["a hold"], null],
  ["output", "discard", [], null],
  ["input", "seek", [7], null],
  ["input", "wake", [], null],
  ["input", "lag", [], null],
  ["input", "close", [], null],
];

test("each call goes through `around` by its name, with its arguments and its answer; all else passes", async () => {
  const log: unknown[] = [];
  const ports: Record<string, Record<string, (...given: unknown[]) => unknown>> = {};
  for (const [port, method] of methods)
    (ports[port] ??= {})[method] = (...given) => {
      log.push([method, ...given]);
      return `answer of ${method}`;
    };
  const intercepted = interceptPorts(ports as unknown as TaskPorts, (call, work) => {
    log.push(call);
    return work();
  }) as unknown as typeof ports;
  for (const [port, method, given, call] of methods) {
    expect(await intercepted[port]![method]!(...given)).toBe(`answer of ${method}`);
    expect(log.splice(0)).toEqual([...(call === null ? [] : [call]), [method, ...given]]);
  }
  expect(methods.flatMap(([, , , call]) => call ?? [])).toEqual([...portCalls]);
});
