import { z } from "zod";

/** A part of an OpenAPI document. */
export type Json = Record<string, unknown>;

/** The version that documents follow. */
export const OPEN_API = "3.1.0";

/** The schemas of a document, by their names: each refers to the others by theirs. */
export function namedSchemas(schemas: Readonly<Record<string, z.ZodType>>): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const named = z.toJSONSchema(registry, { io: "input", uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(Object.entries(named.schemas).map(([id, schema]) => [id, bare(schema)]));
}

/** What a schema takes, as JSON Schema. */
export function jsonSchema(schema: z.ZodType): Json {
  return bare(z.toJSONSchema(schema, { io: "input", override: keepDefault }));
}

/** Zod leaves out the default of a schema that transforms, which its metadata has as it is written. */
function keepDefault({ zodSchema, jsonSchema: made }: { zodSchema: z.core.$ZodTypes; jsonSchema: Json }): void {
  const value = z.globalRegistry.get(zodSchema)?.["default"];
  if (value !== undefined) made["default"] = value;
}

/** A body of JSON, by the name of its schema, with an example. */
export function jsonContent(name: string, value: unknown): Json {
  return { "application/json": { schema: { $ref: `#/components/schemas/${name}` }, examples: { answer: { value } } } };
}

/** A body of text, with an example. */
export function textContent(type: string, value: string): Json {
  return { [type]: { schema: { type: "string" }, examples: { answer: { value } } } };
}

/**
 * The parameters of a query. The schemas take text, as query strings are text; one that stands for a number says so by
 * its metadata (`.meta({ type: "integer", … })`).
 */
export function queryParameters(query: z.ZodObject): Json[] {
  return Object.entries(query.shape).map(([name, schema]) => {
    const { description, pattern, ...rest } = jsonSchema(schema as z.ZodType);
    return {
      name,
      in: "query",
      required: !(schema as z.ZodType).safeParse(undefined).success,
      ...(description ? { description } : {}),
      schema: { ...rest, ...(pattern !== undefined && rest["type"] === "string" ? { pattern } : {}) },
    };
  });
}

/** A schema without what says which document it is. */
function bare(schema: Json): Json {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== "$schema" && name !== "$id"));
}
