/** The operators' API of `npm start`, which the page's own server hands on. */
import type { Problem } from "../domain/api.ts";
import { RequestError } from "./client.ts";

/** An answer of `npm start` that is no success, with what it says. */
export class OpsError extends RequestError {
  constructor(path: string, status: number, message: string) {
    super(path, status);
    this.message = message;
  }
}

/** @throws OpsError For an answer that is no success; RequestError or TypeError where there is none. */
export function readOps<T>(path: string): Promise<T> {
  return ask(path, { cache: "no-store" });
}

/** Sends what is to be done; under the same key it is done once. */
export function postOps<T>(path: string, body: object, key: string): Promise<T> {
  const headers = { "content-type": "application/json", "idempotency-key": key };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function ask<T>(path: string, options: RequestInit): Promise<T> {
  const response = await fetch(`ops/${path}`, options);
  if (response.ok) return response.json() as Promise<T>;
  const { detail } = (await response.json().catch(() => ({}))) as Partial<Problem>;
  // Without a reason it is not from `npm start`: the page's server did not reach it.
  if (detail === undefined) throw new RequestError(`ops/${path}`, response.status);
  throw new OpsError(path, response.status, detail);
}
