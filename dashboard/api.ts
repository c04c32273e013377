/** Client of the REST API, by the types of its OpenAPI document: `npm run client` generates them. */
import createClient from "openapi-fetch";
import type { components, paths } from "./api-types.ts";
import { RequestError, send } from "./client.ts";

type Schemas = components["schemas"];
export type ActivityStretch = Schemas["ActivityStretch"];
export type Alert = Schemas["Alert"];
export type Bar = Schemas["Bar"];
export type DeadLetter = Schemas["DeadLetter"];
export type Health = Schemas["Health"];
export type ListedDeadLetter = Schemas["ListedDeadLetter"];
export type MarketSymbol = Schemas["Symbol"];
export type Position = Schemas["Position"];
export type Sensor = Schemas["Sensor"];
export type SensorFeatures = Schemas["Features"];
export type SensorWindow = Schemas["Window"];
export type Session = Schemas["Session"];

/** Window operators of bars. */
export type BarOperator = NonNullable<
  NonNullable<paths["/symbols/{symbol}/bars"]["get"]["parameters"]["query"]>["operator"]
>;

/** What asks a REST API, by path. */
export type Api = ReturnType<typeof apiAt>;

/** A page of a list. */
export interface List<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export function apiAt(restUrl: string) {
  return createClient<paths>({ baseUrl: restUrl.replace(/\/$/, ""), fetch: send });
}

/** What became of a request: `data` of a success, or `error`. */
export type Asked<T> =
  | { readonly data: T; readonly error?: never; readonly response: Response }
  | { readonly data?: never; readonly error: unknown; readonly response: Response };

/** The body of a successful answer. @throws RequestError for any other */
export async function answer<T>(asked: Promise<Asked<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (data === undefined) throw new RequestError(new URL(response.url).pathname, response.status, problemOf(error));
  return data;
}

/** The problem details of an answer; null where it has none, as it is not from Millrace. */
function problemOf(error: unknown): Schemas["Problem"] | null {
  const isProblem = typeof error === "object" && error !== null && "type" in error && "status" in error;
  return isProblem ? (error as Schemas["Problem"]) : null;
}
