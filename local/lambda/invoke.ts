import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Context } from "aws-lambda";
import { functions, type FunctionName } from "../../domain/api.ts";

/** A Lambda handler. */
export type Handler = (event: unknown, context: Context) => Promise<unknown>;
/** Invokes a function. Resolves with its result; rejects with its error, or after its timeout. */
export type Invoke = (event: unknown) => Promise<unknown>;

const root = join(import.meta.dirname, "../..");

/** Path of a function's handler; `hasHandler` tells whether the file exists. */
const handlerFile = (name: FunctionName): string => join(root, "lambda", name, "handler.ts");
export const hasHandler = (name: FunctionName): boolean => existsSync(handlerFile(name));

/**
 * Loads a function from `lambda/<name>/handler.ts`. It is called like in Lambda, with its timeout.
 *
 * @throws Error when the file does not export a function `handler`
 */
export async function loadFunction(name: FunctionName): Promise<Invoke> {
  const module = (await import(pathToFileURL(handlerFile(name)).href)) as { handler?: Handler };
  if (typeof module.handler !== "function") throw new Error(`${handlerFile(name)} exports no function "handler"`);
  return invoker(name, module.handler, functions[name].timeoutSeconds * 1_000);
}

/** Figures of a function, as its module exports them under the name `metrics`. */
export interface FunctionMetrics {
  snapshot(): object;
  prometheus(): Promise<string>;
}

/** The metrics that a function keeps; null when it keeps none. */
export async function functionMetrics(name: FunctionName): Promise<FunctionMetrics | null> {
  const module = (await import(pathToFileURL(handlerFile(name)).href)) as { metrics?: FunctionMetrics };
  return module.metrics ?? null;
}

/** Applies a timeout to a handler. Lambda ends the process after the timeout; here the late result is ignored. */
export function invoker(name: string, handler: Handler, timeoutMs: number): Invoke {
  return async (event) => {
    const context = createContext(name, performance.now() + timeoutMs);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${name}: Task timed out after ${timeoutMs / 1_000} seconds`)),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([handler(event, context), timeout]);
    } finally {
      clearTimeout(timer);
    }
  };
}

function createContext(name: string, deadlineMs: number): Context {
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName: name,
    functionVersion: "$LATEST",
    invokedFunctionArn: functionArn(name),
    memoryLimitInMB: "512",
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${name}`,
    logStreamName: "local",
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - performance.now()),
    done: () => {},
    fail: () => {},
    succeed: () => {},
  };
}

export const functionArn = (name: string): string => `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
