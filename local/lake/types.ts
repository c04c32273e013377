/** A Glue (Hive) column type as a tree; see `ColumnType` in domain/tables.ts. */
export type HiveType =
  | { readonly kind: "string" | "bigint" | "int" | "double" | "boolean" }
  | { readonly kind: "array"; readonly item: HiveType }
  | { readonly kind: "map"; readonly value: HiveType }
  | { readonly kind: "struct"; readonly fields: readonly (readonly [string, HiveType])[] };

const scalars = { string: "VARCHAR", bigint: "BIGINT", int: "INTEGER", double: "DOUBLE", boolean: "BOOLEAN" } as const;

/**
 * Parses a column type. The keys of a map must be strings.
 *
 * @throws Error when the lake has no such type
 */
export function parseHiveType(text: string): HiveType {
  if (text in scalars) return { kind: text as keyof typeof scalars };
  const match = /^(array|map|struct)<(.*)>$/.exec(text);
  if (!match)
    throw new Error(
      `"${text}" is not a column type: expected ${Object.keys(scalars).join(", ")}, ` +
        "array<…>, map<string,…> or struct<name:…>",
    );
  const parts = splitTopLevel(match[2] as string);
  if (match[1] === "array") return { kind: "array", item: parseHiveType(match[2] as string) };
  if (match[1] === "map") {
    if (parts.length !== 2 || parts[0] !== "string") throw new Error(`"${text}": the keys of a map must be strings`);
    return { kind: "map", value: parseHiveType(parts[1] as string) };
  }
  return {
    kind: "struct",
    fields: parts.map((part) => {
      const colon = part.indexOf(":");
      return [part.slice(0, colon), parseHiveType(part.slice(colon + 1))] as const;
    }),
  };
}

/** The equivalent type of DuckDB. */
export function duckdbType(type: HiveType): string {
  switch (type.kind) {
    case "array":
      return `${duckdbType(type.item)}[]`;
    case "map":
      return `MAP(VARCHAR, ${duckdbType(type.value)})`;
    case "struct":
      return `STRUCT(${type.fields.map(([name, field]) => `"${name}" ${duckdbType(field)}`).join(", ")})`;
    default:
      return scalars[type.kind];
  }
}

/** Splits at commas, except inside of <>. */
function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= text.length; i++) {
    if (text[i] === "<") depth++;
    else if (text[i] === ">") depth--;
    else if (i === text.length || (text[i] === "," && depth === 0)) {
      parts.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  return parts;
}
