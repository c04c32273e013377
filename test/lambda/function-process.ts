import { fork } from "node:child_process";
import { join } from "node:path";

/** A Lambda function in its own process, as on AWS: it has its own environment, and its clients end with it. */
export interface FunctionProcess {
  invoke<T = Record<string, unknown>>(event: unknown): Promise<T>;
  stop(): Promise<void>;
  /** What it has written to its log, the last 16,000 characters. */
  log(): string;
}

export function startFunction(name: string, env: Readonly<Record<string, string>>): FunctionProcess {
  const child = fork(
    join(import.meta.dirname, "function-host.mjs"),
    [join(import.meta.dirname, `../../lambda/${name}/handler.ts`)],
    {
      env: { ...process.env, LOG_LEVEL: "error", ...env },
      execArgv: ["--disable-warning=ExperimentalWarning"],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    },
  );
  let log = "";
  child.stderr!.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-16_000)));
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let calls = 0;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.on("message", ({ call, result, error }: { call: number; result?: never; error?: string }) => {
    if (error === undefined) waiting.get(call)?.resolve(result!);
    else waiting.get(call)?.reject(new Error(error));
    waiting.delete(call);
  });
  child.once("exit", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`function ${name} ended with ${code}: ${log}`));
  });
  return {
    invoke: (event) =>
      new Promise((resolve, reject) => {
        waiting.set(++calls, { resolve, reject });
        child.send({ call: calls, event: event as object });
      }),
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    log: () => log,
  };
}
