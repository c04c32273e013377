/**
 * Client of the operators' API of `npm start`, which the page's own server hands on, by the types of its OpenAPI
 * document: `npm run client` generates them.
 */
import createClient from "openapi-fetch";
import { answer, type Asked } from "./api.ts";
import { RequestError } from "./client.ts";
import type { components, paths } from "./ops-types.ts";

type Schemas = components["schemas"];
export type ComponentOverview = Schemas["Component"];
export type ComponentsOverview = Schemas["Components"];
export type GroupOverview = Schemas["Group"];
export type LetterSent = Schemas["LetterSent"];
export type ModelOverview = Schemas["Model"];
export type ModelRequest = Schemas["ModelRequest"];
export type ModelsOverview = Schemas["Models"];
export type RaisedAlarm = Schemas["Alarm"];
export type Readable = Schemas["Readable"];
export type RecordPreview = Schemas["Record"];
export type RecordsOverview = Schemas["Records"];
export type TopicOverview = Schemas["Topic"];

/** An answer of `npm start` that is no success, with what it says. */
export class OpsError extends RequestError {
  constructor({ message, status, problem }: RequestError, detail: string) {
    super(message, status, problem);
    this.message = detail;
  }
}

/** What asks the operators' API, by path. */
export const ops = createClient<paths>({ baseUrl: ".", cache: "no-store" });

/** The header of a POST: under the same key it is done once. */
export function underKey(key: string) {
  return { header: { "idempotency-key": key } };
}

/**
 * The body of a successful answer.
 *
 * @throws OpsError For any other. RequestError or TypeError where there is none: without a reason it is not from `npm
 *   start`, which the page's server did not reach.
 */
export async function opsAnswer<T>(asked: Promise<Asked<T>>): Promise<T> {
  try {
    return await answer(asked);
  } catch (error) {
    const detail = error instanceof RequestError ? error.problem?.detail : undefined;
    throw detail === undefined ? error : new OpsError(error as RequestError, detail);
  }
}
