import type { z } from "zod";
import {
  jsonContent,
  jsonSchema,
  namedSchemas,
  OPEN_API,
  queryParameters,
  textContent,
  type Json,
} from "../../adapters/openapi.ts";
import {
  pathParameters,
  PROBLEM_CONTENT_TYPE,
  PROBLEM_TYPE_PREFIX,
  problems,
  queries,
  ticketRoute,
  type ProblemCode,
  type RestRoute,
} from "../../domain/api.ts";
import { answerExamples, downExample } from "./examples.ts";
import { schemas } from "./schemas.ts";

/** What each operation may answer beside its own problems. */
const commonProblems: readonly ProblemCode[] = [
  "invalid-request",
  "uri-too-long",
  "too-many-requests",
  "headers-too-large",
  "internal-error",
];

interface Operation {
  readonly summary: string;
  readonly description?: string;
  readonly query: z.ZodObject;
  /** Name in `components.schemas`, or another content type than JSON. */
  readonly answer: { readonly schema: keyof typeof answerExamples } | { readonly contentType: string };
  /** Beside `commonProblems`. */
  readonly problems: readonly ProblemCode[];
  /** What it answers with a 201, and not with a 200 that a client may keep. */
  readonly creates?: true;
}

/** What each path of `restRoutes` does. */
const operations: Readonly<Record<string, Operation>> = {
  "/": { summary: "What this is, and where to go", query: queries.none, answer: { schema: "Root" }, problems: [] },
  "/health": {
    summary: "Health of the components",
    description: "503 when a component is down.",
    query: queries.none,
    answer: { schema: "Health" },
    problems: [],
  },
  "/sessions": {
    summary: "Sessions, newest first",
    description:
      "A session is in [from, to) when any instant from its first to its last sample is; " +
      "an open session reaches into the future.",
    query: queries.sessions,
    answer: { schema: "SessionPage" },
    problems: ["unavailable"],
  },
  "/sessions/{sessionId}": {
    summary: "One session",
    query: queries.none,
    answer: { schema: "Session" },
    problems: ["not-found", "unavailable"],
  },
  "/sensors": {
    summary: "Sensors, newest first",
    description:
      "Sorted by when a sensor was first seen; with `active` by when it was last heard. `lastSeen` says that.",
    query: queries.sensors,
    answer: { schema: "SensorPage" },
    problems: ["unavailable"],
  },
  "/sensors/{sensorId}": {
    summary: "One sensor",
    query: queries.none,
    answer: { schema: "Sensor" },
    problems: ["not-found", "unavailable"],
  },
  "/sensors/{sensorId}/windows": {
    summary: "Recent windows of a sensor, newest first",
    description: "The newest revision of each window written in the last 24 hours.",
    query: queries.windows,
    answer: { schema: "WindowPage" },
    problems: ["not-found", "unavailable"],
  },
  "/sensors/{sensorId}/activity": {
    summary: "Recent activity of a sensor, newest first",
    description:
      "Stretches of inferences with one label and model that follow one another, with their mean probabilities, " +
      "of the inferences written in the last 24 hours that overlap [from, to).",
    query: queries.activity,
    answer: { schema: "ActivityPage" },
    problems: ["not-found", "unavailable"],
  },
  "/sensors/{sensorId}/features": {
    summary: "The newest features of a sensor",
    query: queries.none,
    answer: { schema: "Features" },
    problems: ["not-found", "unavailable"],
  },
  "/dead-letters": {
    summary: "Records that were refused, newest first",
    description: "The newest of them. The topic and the lake have all.",
    query: queries.deadLetters,
    answer: { schema: "DeadLetterPage" },
    problems: ["unavailable"],
  },
  "/dead-letters/{letterId}": {
    summary: "One record that was refused, with its payload",
    query: queries.none,
    answer: { schema: "DeadLetter" },
    problems: ["not-found", "unavailable"],
  },
  "/symbols": {
    summary: "Symbols of the market, most recently seen first",
    description: "Those with a record in the last 30 days. One that trades while pages are read moves to the front.",
    query: queries.symbols,
    answer: { schema: "SymbolPage" },
    problems: ["unavailable"],
  },
  "/symbols/{symbol}/bars": {
    summary: "Recent bars of a symbol, newest first",
    description:
      "The newest revision of each bar written in the last 24 hours, of one window operator. A figure that no trade " +
      "tells is null. A page may be shorter than its limit, and still have a next one.",
    query: queries.bars,
    answer: { schema: "BarPage" },
    problems: ["not-found", "unavailable"],
  },
  "/symbols/{symbol}/features": {
    summary: "The newest features of a symbol, for each window operator",
    query: queries.none,
    answer: { schema: "SymbolFeatures" },
    problems: ["not-found", "unavailable"],
  },
  "/positions": {
    summary: "Positions of an account or in a symbol, most recently changed first",
    description:
      "Net of all executed trades that name the account: bought less sold. One of account and symbol is needed.",
    query: queries.positions,
    answer: { schema: "PositionPage" },
    problems: ["unavailable"],
  },
  "/alerts": {
    summary: "Recent alerts, newest trade first",
    description: "One that was withdrawn, as its trade was cancelled, stays listed with that status.",
    query: queries.alerts,
    answer: { schema: "AlertPage" },
    problems: ["unavailable"],
  },
  "/openapi.json": {
    summary: "This document",
    query: queries.none,
    answer: { schema: "OpenApi" },
    problems: [],
  },
  "/docs": {
    summary: "This document as a page",
    query: queries.none,
    answer: { contentType: "text/html" },
    problems: [],
  },
};

const ticketOperation: Operation = {
  summary: "A ticket for one WebSocket connection",
  description:
    "For browsers, which can't send a header with a WebSocket: connect with `?ticket=…`, once, before it expires. " +
    "The connection is that of whose token this request has.",
  query: queries.none,
  answer: { schema: "Ticket" },
  problems: ["unavailable"],
  creates: true,
};

/**
 * Routes of a REST API as an OpenAPI 3.1 document, from the schemas that serve them.
 *
 * @param hasTickets Whether it gives tickets for the WebSocket API, too.
 */
export function openApiDocument(version: string, routes: readonly RestRoute[], hasTickets: boolean): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes)
    paths[route.path] = { get: describe(route.path, operations[route.path]!, route.auth === "jwt") };
  if (hasTickets) paths[ticketRoute.path] = { post: describe(ticketRoute.path, ticketOperation, true) };
  return {
    openapi: OPEN_API,
    // Where the document is: the stage of API Gateway, or the local API.
    servers: [{ url: "." }],
    info: {
      title: "Millrace",
      version,
      description:
        "Sessions, windows and features of sensors, and a market where one runs. " +
        "Errors are RFC 9457 problem details. Times are epoch milliseconds of event time.",
    },
    paths,
    components: {
      schemas: namedSchemas(schemas),
      securitySchemes: {
        jwt: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "Needed where the environment's configuration says so.",
        },
      },
    },
  };
}

function describe(path: string, operation: Operation, secured: boolean): Json {
  const possible = [...operation.problems, ...commonProblems, ...(secured ? (["unauthorized"] as const) : [])];
  const statuses = Object.groupBy(possible, (code) => String(problems[code].status));
  const errors = Object.entries(statuses).map(([status, codes]): [string, Json] => [
    status,
    {
      description: codes!.map((code) => `${problems[code].title}. ${problems[code].doc}`).join(" "),
      content: {
        [PROBLEM_CONTENT_TYPE]: {
          schema: { $ref: "#/components/schemas/Problem" },
          example: problemExample(codes![0]!),
        },
      },
    },
  ]);
  const down: [string, Json][] =
    path === "/health"
      ? [["503", { description: "A component is down", content: jsonContent("Health", downExample) }]]
      : [];
  const parameters = [...pathParametersOf(path), ...queryParameters(operation.query)];
  return {
    summary: operation.summary,
    operationId: operation.creates ? "createTicket" : operationId(path),
    ...(operation.description ? { description: operation.description } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    responses: Object.fromEntries([...success(path, operation), ...errors, ...down]),
    ...(secured ? { security: [{ jwt: [] }, {}] } : { security: [] }),
  };
}

/** The answers that are no error. */
function success(path: string, { answer, summary, creates }: Operation): [string, Json][] {
  const content =
    "schema" in answer
      ? jsonContent(answer.schema, answerExamples[answer.schema])
      : textContent(answer.contentType, "<!doctype html>…");
  if (creates) return [["201", { description: summary, content }]];
  return [
    ["200", { description: summary, headers: { ETag: etag }, content, ...linksOf(path) }],
    [
      "304",
      { description: "The client has the answer already: its `If-None-Match` names it.", headers: { ETag: etag } },
    ],
  ];
}

/** Lists whose items name what other paths are about: the property, and these paths. */
const linked: Readonly<Record<string, { readonly property: string; readonly parameter: keyof typeof examples }>> = {
  "/sessions": { property: "sessionId", parameter: "sessionId" },
  "/sensors": { property: "sensorId", parameter: "sensorId" },
  "/dead-letters": { property: "id", parameter: "letterId" },
  "/symbols": { property: "symbol", parameter: "symbol" },
};

/** From a list to the paths of its newest item. */
function linksOf(path: string): Json {
  const link = linked[path];
  if (link === undefined) return {};
  const { property, parameter } = link;
  const targets = Object.keys(operations).filter((target) => target.includes(`{${parameter}}`));
  const parameters = { [parameter]: `$response.body#/items/0/${property}` };
  return {
    links: Object.fromEntries(
      targets.map((target) => [operationId(target), { operationId: operationId(target), parameters }]),
    ),
  };
}

/** Path parameters as they may be. */
const examples = {
  sensorId: "s01-sw",
  sessionId: "s01-sw@1657533977813",
  symbol: "ACME",
  letterId: "imu-data-all/3/1234/0",
} as const satisfies Record<keyof typeof pathParameters, string>;

const etag = { description: "for `If-None-Match`", schema: { type: "string" } };

function problemExample(code: ProblemCode): Json {
  const { status, title } = problems[code];
  return { type: PROBLEM_TYPE_PREFIX + code, title, status, detail: "what is wrong, and what to do" };
}

function operationId(path: string): string {
  const words = path.split(/[/.-]/).filter((part) => part !== "" && !part.startsWith("{"));
  const named = words.length === 0 ? ["root"] : words;
  const capitalized = named.map((word) => word[0]!.toUpperCase() + word.slice(1));
  return `read${capitalized.join("")}${path.endsWith("}") ? "ById" : ""}`;
}

function pathParametersOf(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: jsonSchema(pathParameters[name as keyof typeof pathParameters]),
    example: examples[name as keyof typeof examples],
  }));
}
