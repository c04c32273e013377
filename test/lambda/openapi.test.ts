import { expect, test } from "@jest/globals";
import { restRoutes, ticketRoute } from "../../domain/api.ts";
import { openApiDocument } from "../../lambda/read-openapi/document.ts";
import { docsPage } from "../../lambda/read-openapi/page.ts";
import { schemas } from "../../lambda/read-openapi/schemas.ts";

interface Operation {
  parameters?: { name: string; in: string; required: boolean; schema: Record<string, unknown> }[];
  responses: Record<string, { description: string; content?: object }>;
  security: object[];
  operationId: string;
}
const document = openApiDocument("1.2.3", restRoutes, true) as {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

test("every route is described, and nothing else", () => {
  expect(document.openapi).toBe("3.1.0");
  expect(document.info.version).toBe("1.2.3");
  expect(operations.map(({ path, method }) => `${method} ${path}`).toSorted()).toEqual(
    [...restRoutes, ticketRoute].map(({ path, method }) => `${method.toLowerCase()} ${path}`).toSorted(),
  );
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  // Where no authorizer is, there are none: locally.
  const paths = Object.keys((openApiDocument("1.2.3", restRoutes, false) as typeof document).paths);
  expect(paths.toSorted()).toEqual(restRoutes.map(({ path }) => path).toSorted());
});

test("each operation has its path parameters, described responses, and references that exist", () => {
  for (const { path, operation } of operations) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(
      (operation.parameters ?? [])
        .filter((parameter) => parameter.in === "path")
        .map(({ name, required }) => [name, required]),
    ).toEqual(named.map((name) => [name, true]));
    expect(Object.keys(operation.responses)).toContain(path === "/tickets" ? "201" : "200");
    for (const { description } of Object.values(operation.responses)) expect(description).not.toBe("");
  }
  for (const [, name] of JSON.stringify(document.paths).matchAll(/#\/components\/schemas\/(\w+)/g))
    expect(Object.keys(document.components.schemas)).toContain(name);
});

test("query parameters are described by what they stand for", () => {
  const parameters = Object.fromEntries(
    document.paths["/sessions"]!["get"]!.parameters!.map((parameter) => [parameter.name, parameter.schema]),
  );
  expect(Object.keys(parameters)).toEqual(["sensorId", "from", "to", "status", "limit", "cursor"]);
  expect(parameters).toMatchObject({
    sensorId: { type: "string" },
    from: { type: "string" },
    status: { type: "string", enum: ["open", "ended"] },
    limit: { type: "integer", minimum: 1, maximum: 1_000, default: 100 },
  });
  expect(parameters["limit"]).not.toHaveProperty("pattern");
});

interface Content {
  readonly schema: { readonly $ref?: string; readonly type?: string };
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

test("every successful answer, and that of a component that is down, has an example that its schema takes", () => {
  for (const { path, operation } of operations) {
    for (const [status, { content = {} }] of Object.entries(operation.responses)) {
      for (const [type, { schema, examples }] of Object.entries(content as Record<string, Content>)) {
        if (type === "application/problem+json") continue;
        const values = Object.values(examples ?? {}).map(({ value }) => value);
        expect([path, status, values.length]).toEqual([path, status, 1]);
        if (schema.$ref === undefined) expect([schema.type, typeof values[0]]).toEqual(["string", "string"]);
        else {
          const name = schema.$ref.replace("#/components/schemas/", "") as keyof typeof schemas;
          // What the schema does not name is left out by it.
          expect(schemas[name].parse(values[0])).toEqual(values[0]);
        }
      }
    }
  }
  expect(operations.find(({ path }) => path === "/health")!.operation.responses["503"]!.content).toMatchObject({
    "application/json": { examples: { answer: { value: { status: "down" } } } },
  });
});

test("the page shows every path and loads nothing", () => {
  const page = docsPage(document);
  for (const { path } of restRoutes) expect(page).toContain(`<code>${path}</code>`);
  expect(page).not.toMatch(/<script|src=|href="http/);
});

test("each operation names its errors with an example, and each link leads to an operation with its parameters", () => {
  const ids = new Map(operations.map(({ operation }) => [operation.operationId, operation]));
  for (const { path, operation } of operations) {
    const statuses = Object.keys(operation.responses);
    const succeeding = path === "/tickets" ? ["201", "503"] : ["200", "304"];
    expect([path, statuses]).toEqual([
      path,
      expect.arrayContaining([...succeeding, "400", "414", "429", "431", "500"]),
    ]);
    for (const [status, { content = {} }] of Object.entries(operation.responses)) {
      const problem = (content as Record<string, { example?: { status: number } }>)["application/problem+json"];
      if (problem !== undefined) expect(problem.example?.status).toBe(Number(status));
    }
    expect(statuses.includes("401")).toBe(operation.security.length > 0);
    const { links = {} } = (operation.responses["200"] ?? {}) as { links?: Record<string, { parameters: object }> };
    for (const [id, { parameters }] of Object.entries(links))
      expect(Object.keys(parameters)).toEqual(
        ids.get(id)!.parameters!.flatMap(({ in: place, name }) => (place === "path" ? [name] : [])),
      );
  }
  expect((document as unknown as { servers: object[] }).servers).toEqual([{ url: "." }]);
});
