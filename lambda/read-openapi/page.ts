interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
}
interface Operation {
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<Record<string, Response>>;
}
interface Response {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema?: { readonly $ref?: string } }>>;
}
interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

const STYLE = `
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent)}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
section{border-top:1px solid var(--line);padding:.5rem 0}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;vertical-align:top}
pre{overflow:auto;border:1px solid var(--line);padding:.75rem;border-radius:.4rem}.method{color:#0a7d4b;font-weight:600}
`;

/** An OpenAPI document of this API as one HTML page, which loads nothing else. */
export function docsPage(openApi: unknown): string {
  const { info, paths, components } = openApi as Document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => operation(path, method.toUpperCase(), described)),
  );
  const schemas = Object.entries(components.schemas).map(([name, schema]) => schemaDetails(name, schema));
  const title = `${escape(info.title)} API`;
  const viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">${viewport}<title>${title}</title>
<style>${STYLE}</style></head><body>
<h1>${title} <small>${escape(info.version)}</small></h1>
<p>${escape(info.description)} The same as <a href="openapi.json">OpenAPI 3.1</a>.</p>
${operations.join("\n")}
<h2>Schemas</h2>
${schemas.join("\n")}
</body></html>
`;
}

function schemaDetails(name: string, schema: unknown): string {
  const summary = `<summary>${escape(name)}</summary>`;
  return `<details id="${escape(name)}">${summary}<pre>${escape(JSON.stringify(schema, null, 2))}</pre></details>`;
}

function operation(
  path: string,
  method: string,
  { summary, description, parameters = [], responses }: Operation,
): string {
  const heading = `<h3><span class="method">${escape(method)}</span> <code>${escape(path)}</code></h3>`;
  const text = `<p>${escape(summary)}${description ? `. ${escape(description)}` : ""}</p>`;
  const parameterRows = parameters.map((parameter) => [
    `<code>${escape(parameter.name)}</code>`,
    escape(parameter.in),
    escape(parameter.description ?? ""),
  ]);
  const answerRows = Object.entries(responses).map(([status, response]) => [
    `<code>${escape(status)}</code>`,
    escape(response.description),
    schemaLink(response),
  ]);
  const parameterTable = parameters.length > 0 ? table(["parameter", "in", ""], parameterRows) : "";
  return `<section>${heading}${text}\n${parameterTable}${table(["status", "", "body"], answerRows)}</section>`;
}

/** The link to the schema of an answer's body; empty when the body has none. */
function schemaLink({ content = {} }: Response): string {
  const reference = Object.values(content)[0]?.schema?.$ref;
  const name = escape(reference?.split("/").at(-1) ?? "");
  return name === "" ? "" : `<a href="#${name}">${name}</a>`;
}

function table(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${text}</${tag}>`).join("")}</tr>`;
  return `<table>${cells("th", headers)}${rows.map((row) => cells("td", row)).join("")}</table>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
