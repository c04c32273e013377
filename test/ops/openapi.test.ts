import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { operatorRoutes } from "../../domain/routes.ts";
import { schemas } from "../../ops/openapi-schemas.ts";
import { operatorsDocument } from "../../ops/openapi.ts";

type Content = Record<
  string,
  { schema: { $ref?: string }; example?: { status: number }; examples?: { answer: { value: unknown } } }
>;
interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean; schema: Record<string, unknown> }[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content: Content; links?: Record<string, { operationId: string }> }>;
}
const document = operatorsDocument({ routes: operatorRoutes, isSigned: true }) as {
  security: object[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes?: object };
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);
const operation = (name: string): Operation => operations.find((each) => each.name === name)!.operation;

test("every route of the operators' API is described, and nothing else; each is in docs/observability.md", () => {
  const routes = operatorRoutes.map(({ method, path }) => `${method} ${path}`);
  expect(operations.map(({ name }) => name).toSorted()).toEqual(routes.toSorted());
  expect(new Set(operations.map((each) => each.operation.operationId)).size).toBe(operations.length);
  const page = readFileSync(join(import.meta.dirname, "../../docs/observability.md"), "utf8");
  const rows = [...page.matchAll(/^\| `((?:GET|POST) \/(?:ops\/|metrics)[^`?]*)[^`]*` \|/gm)].map(([, name]) => name);
  expect(rows.toSorted()).toEqual(routes.toSorted());
});

test("what is served is described: locally without metrics, and unsigned", () => {
  const local = operatorsDocument({
    routes: operatorRoutes.filter(({ path }) => path !== "/metrics"),
    isSigned: false,
  }) as typeof document;
  expect(Object.keys(local.paths)).not.toContain("/metrics");
  expect([local.security, local.components.securitySchemes]).toEqual([[], undefined]);
  expect(document.security).toEqual([{ sigV4: [] }]);
});

test("each answer and each body has an example that its schema takes, and every reference leads somewhere", () => {
  const bodies = operations.flatMap(({ operation: { requestBody, responses } }) => [
    ...(requestBody ? [requestBody.content] : []),
    responses["200"]!.content,
  ]);
  for (const content of bodies)
    for (const { schema, examples } of Object.values(content)) {
      if (schema.$ref === undefined) continue;
      const name = schema.$ref.replace("#/components/schemas/", "") as keyof typeof schemas;
      const { value } = examples!.answer;
      expect([name, schemas[name].parse(value)]).toEqual([name, value]);
    }
  for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g))
    expect(Object.keys(document.components.schemas)).toContain(name);
});

test("each failure says when it comes, with an example of its status", () => {
  for (const {
    name,
    operation: { responses },
  } of operations) {
    const failures = Object.entries(responses).filter(([status]) => Number(status) >= 400);
    const statuses = failures.map(([status]) => status);
    expect([name, statuses]).toEqual([name, expect.arrayContaining(["400", "403", "429", "500"])]);
    for (const [status, { description, content }] of failures) {
      expect(description.length).toBeGreaterThan(20);
      expect(content["application/problem+json"]!.example!.status).toBe(Number(status));
    }
  }
  expect(Object.keys(operation("GET /ops/records").responses)).toEqual(expect.arrayContaining(["404", "502", "504"]));
});

test("a POST needs an idempotency key of the form that is checked, and may conflict", () => {
  for (const { name, operation: each } of operations.filter(({ operation: { requestBody } }) => requestBody)) {
    expect(name).toMatch(/^POST /);
    expect(each.parameters).toMatchObject([
      { name: "idempotency-key", in: "header", required: true, schema: { pattern: "^[A-Za-z0-9-]{8,64}$" } },
    ]);
    expect(Object.keys(each.responses)).toEqual(expect.arrayContaining(["409", "413", "415", "422", "502"]));
  }
});

test("the parameters of records are numbers with their bounds, and links lead to operations", () => {
  const parameters = operation("GET /ops/records").parameters!;
  expect(parameters.map(({ name, required }) => [name, required])).toEqual([
    ["topic", true],
    ["partition", false],
    ["before", false],
    ["limit", false],
  ]);
  expect(parameters.at(-1)!.schema).toEqual({ type: "integer", minimum: 1, maximum: 50, default: 20 });
  const links = operations.flatMap(({ operation: { responses } }) => Object.values(responses["200"]!.links ?? {}));
  expect(links.map(({ operationId }) => operationId)).toEqual(["readRecords"]);
});
