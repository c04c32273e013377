import { STATUS_CODES } from "node:http";
import type { z } from "zod";
import {
  jsonContent,
  jsonSchema,
  namedSchemas,
  OPEN_API,
  queryParameters,
  textContent,
  type Json,
} from "../adapters/openapi.ts";
import { API_VERSION, PROBLEM_CONTENT_TYPE } from "../domain/api.ts";
import { IDEMPOTENCY_HEADER, idempotencyKey, opsQueries } from "../domain/ops.ts";
import type { OperatorRoute } from "../domain/routes.ts";
import { failed } from "./answer.ts";
import { answerExamples, requestExamples, schemas } from "./openapi-schemas.ts";

/** Why a request fails, by its status. */
type Failures = Readonly<Record<number, string>>;

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** @default none */
  readonly query?: z.ZodObject;
  /** Of a POST: the schema of its body. */
  readonly body?: keyof typeof requestExamples;
  /** Schema of the answer; null for text. */
  readonly answer: keyof typeof answerExamples | null;
  /** Beside those that every request of its method may have. */
  readonly failures?: Failures;
}

const ofEach: Failures = {
  400: "A parameter or a header is wrong, or unknown.",
  403:
    "On AWS: the request is not signed by who may send it, does not come through the VPC endpoint, or has a path or " +
    "method that is not there. Locally: it is of another origin's page, or by another name than localhost.",
  429: "API Gateway answers it: wait, then try again.",
  500: "Millrace failed on this request. The log has the cause.",
};
const ofEachPost: Failures = {
  400: "The body does not follow its schema, or the idempotency key is missing or wrong.",
  409: "It can't be done; `detail` says why. Nothing was changed.",
  413: "The body is too large.",
  415: "The content type is not application/json.",
  422: "The idempotency key was used for another request.",
  502: "It is not certain that it was done: send it again, under the same key.",
};
const unreadable: Failures = {
  502: "What it reads from fails; `detail` has its error.",
  504: "What it reads from does not answer within 10 s.",
};

/** What each route of `operatorRoutes` does. */
const operations: Readonly<Record<string, Operation>> = {
  "GET /metrics": {
    operationId: "readMetrics",
    summary: "The last minute's metrics, in Prometheus' text format",
    answer: null,
    failures: unreadable,
  },
  "GET /ops/openapi.json": {
    operationId: "readOpenApi",
    summary: "This document",
    answer: "OpenApi",
  },
  "GET /ops/components": {
    operationId: "readComponents",
    summary: "Each program and server with its figures, and the alarms that are on",
    answer: "Components",
    failures: unreadable,
  },
  "GET /ops/topics": {
    operationId: "readTopics",
    summary: "Each topic with its partitions",
    description: "Sorted by their names, without Kafka's own; at most 200.",
    answer: "Topics",
    failures: unreadable,
  },
  "GET /ops/groups": {
    operationId: "readGroups",
    summary: "Each consumer group with its lag",
    description: "Sorted by their names; at most 200.",
    answer: "Groups",
    failures: unreadable,
  },
  "GET /ops/records": {
    operationId: "readRecords",
    summary: "The newest committed records of a topic, decoded",
    description: "Reading stops at 8 MB and 5,000 offsets of a partition. It joins no group, and commits nothing.",
    query: opsQueries.records,
    answer: "Records",
    failures: { ...unreadable, 404: "There is no such topic." },
  },
  "GET /ops/models": {
    operationId: "readModels",
    summary: "The versions in the store of models",
    answer: "Models",
    failures: unreadable,
  },
  "POST /ops/models": {
    operationId: "changeModel",
    summary: "Make a version live, or shadow, or switch it off, or roll back",
    description: "On AWS a task does it: the answer has its log stream.",
    body: "ModelRequest",
    answer: "ModelsChanged",
  },
  "POST /ops/dead-letters": {
    operationId: "sendLetterAgain",
    summary: "Send a dead letter in again, once",
    description: "`id` and `log` are those of `GET /dead-letters` of the public API.",
    body: "LetterRequest",
    answer: "LetterSent",
    failures: { 404: "The letter is not there, or the place has another one." },
  },
};

export interface OperatorsDocumentOptions {
  /** Of `operatorRoutes`, those that are there. */
  readonly routes: readonly OperatorRoute[];
  /** Whether requests are signed (`AWS_IAM`). */
  readonly isSigned: boolean;
}

/** The operators' API as an OpenAPI 3.1 document, from the schemas that serve it. */
export function operatorsDocument({ routes, isSigned }: OperatorsDocumentOptions): Json {
  const paths: Record<string, Json> = {};
  for (const { method, path } of routes)
    paths[path] = { ...paths[path], [method.toLowerCase()]: describe(operations[`${method} ${path}`]!) };
  return {
    openapi: OPEN_API,
    // It is at `/ops/openapi.json` of the stage, or of the local server.
    servers: [{ url: ".." }],
    info: {
      title: "Millrace: the operators' API",
      version: API_VERSION,
      description:
        "What an operator sees and does. Errors are RFC 9457 problem details of type about:blank: `detail` says why.",
    },
    security: isSigned ? [{ sigV4: [] }] : [],
    paths,
    components: {
      schemas: namedSchemas(schemas),
      ...(isSigned ? { securitySchemes: { sigV4 } } : {}),
    },
  };
}

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authtype.html */
const sigV4 = {
  type: "apiKey",
  in: "header",
  name: "Authorization",
  description: "Signature Version 4 of a role that may invoke the API, for the service execute-api.",
  "x-amazon-apigateway-authtype": "awsSigv4",
};

function describe({ operationId, summary, description, query, body, answer, failures }: Operation): Json {
  const parameters = [...(query ? queryParameters(query) : []), ...(body ? [idempotencyHeader] : [])];
  const content =
    answer === null
      ? textContent("text/plain", 'millrace_bridge_messages_per_minute{program="bridge"} 11940\n')
      : jsonContent(answer, answerExamples[answer]);
  const all = { ...ofEach, ...(body ? ofEachPost : {}), ...failures };
  return {
    operationId,
    summary,
    ...(description ? { description } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { required: true, content: jsonContent(body, requestExamples[body]) } } : {}),
    responses: {
      200: { description: summary, content, ...(answer === "Topics" ? { links: linksOfTopics } : {}) },
      ...Object.fromEntries(Object.entries(all).map(([status, why]) => [status, problem(Number(status), why)])),
    },
  };
}

/** From the list of topics to the records of the first. */
const linksOfTopics = {
  readRecords: { operationId: "readRecords", parameters: { topic: "$response.body#/0/name" } },
};

const idempotencyHeader = {
  name: IDEMPOTENCY_HEADER,
  in: "header",
  required: true,
  description: "The same request under the same key is done once, and gets the same answer.",
  schema: jsonSchema(idempotencyKey),
  example: "1f2c7a5e-9b1d-4c55-8f0e-6a2d3b4c5d6e",
};

function problem(status: number, why: string): Json {
  return {
    description: `${STATUS_CODES[status]}. ${why}`,
    content: {
      [PROBLEM_CONTENT_TYPE]: {
        schema: { $ref: "#/components/schemas/Problem" },
        example: failed(status, "what is wrong, and what to do").body,
      },
    },
  };
}
