import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { isPortFree, requireFreePorts } from "../../local/processes/ports.ts";
import { restartDelayMs, Supervisor, type Unit } from "../../local/supervisor.ts";
import { eventually } from "../support/eventually.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-supervisor-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A unit that runs a line of JavaScript and is ready at once. */
function unit(name: string, script: string, options: Partial<Unit> = {}): Unit {
  return {
    name,
    spec: {
      name,
      command: [process.execPath, "-e", script],
      env: {},
      cwd: folder,
      logFile: join(folder, `${name}.log`),
      outlivesInterrupt: false,
    },
    ready: () => Promise.resolve(),
    stopLimitMs: 5_000,
    mayFinish: false,
    ...options,
  };
}
const FOR_EVER = "setInterval(() => {}, 1000)";

function supervisor(): { supervisor: Supervisor; deaths: string[] } {
  const deaths: string[] = [];
  return {
    deaths,
    supervisor: new Supervisor({
      onStarted: () => undefined,
      onDied: ({ name }, exit) => void deaths.push(`${name} ${exit.signal ?? exit.code}`),
    }),
  };
}

test("a unit that is killed is restarted, and the restart is counted", async () => {
  const { supervisor: it, deaths } = supervisor();
  it.launch(unit("a", FOR_EVER));
  await eventually(() => expect(it.status().get("a")).toMatchObject({ state: "running" }));
  const { pid } = it.status().get("a")!;
  process.kill(pid!, "SIGKILL");
  await eventually(() => expect(it.status().get("a")).toMatchObject({ state: "running", restarts: 1 }));
  expect(it.status().get("a")!.pid).not.toBe(pid);
  expect(deaths).toEqual(["a SIGKILL"]);
  await it.stop(["a"]);
  expect(it.status().get("a")).toMatchObject({ state: "stopped", restarts: 1 });
});

test("a finished unit is not restarted, and a unit that keeps failing is restarted with growing delays", async () => {
  const { supervisor: it, deaths } = supervisor();
  it.launch(unit("done", "", { mayFinish: true }));
  it.launch(unit("failing", "process.exit(3)"));
  await eventually(() => {
    expect(it.status().get("done")).toMatchObject({ state: "finished", restarts: 0 });
    expect(deaths.filter((death) => death === "failing 3").length).toBeGreaterThanOrEqual(3);
  });
  await it.stop(["failing", "done"]);
  expect([1, 2, 3, 7, 8, 1_000].map(restartDelayMs)).toEqual([100, 200, 400, 6_400, 10_000, 10_000]);
});

test("after endRestarts no unit is restarted, and stop kills a unit that ignores SIGTERM", async () => {
  const { supervisor: it, deaths } = supervisor();
  it.launch(unit("deaf", `process.on("SIGTERM", () => {}); console.log("up"); ${FOR_EVER}`, { stopLimitMs: 300 }));
  it.launch(unit("quick", FOR_EVER));
  await eventually(() => expect(readFileSync(join(folder, "deaf.log"), "utf8")).toContain("up"));
  await eventually(() => expect(it.status().get("quick")?.pid).toBeDefined());
  it.endRestarts();
  process.kill(it.status().get("quick")!.pid!, "SIGINT");
  await it.stop(["deaf", "quick"]);
  expect(deaths).toEqual([]);
  expect(() => process.kill(it.status().get("deaf")!.pid!, 0)).toThrow("ESRCH");
});

test("a taken port is reported with its holder and the option that changes it", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  expect(await isPortFree(port)).toBe(false);
  await expect(requireFreePorts([{ port, purpose: "Kafka", option: "--port-kafka" }])).rejects.toMatchObject({
    code: "port-taken",
    message: expect.stringMatching(
      new RegExp(`port ${port} \\(Kafka\\) is taken by process ${process.pid}.*--port-kafka N`),
    ),
  });
  await new Promise((resolve) => server.close(resolve));
  expect(await isPortFree(port)).toBe(true);
});
