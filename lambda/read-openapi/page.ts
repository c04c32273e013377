interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
}
interface Operation {
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly content?: Readonly<Record<string, { readonly schema?: { readonly $ref?: string } }>>;
      }
    >
  >;
}
interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

/** An OpenAPI document of this API as one HTML page that loads nothing else. */
export function docsPage(openApi: unknown): string {
  const { info, paths, components } = openApi as Document;
  const operations = Object.entries(paths)
    .map(([path, { get }]) => operation(path, get))
    .join("\n");
  const schemas = Object.entries(components.schemas)
    .map(
      ([name, schema]) =>
        `<details id="${escape(name)}"><summary>${escape(name)}</summary><pre>${escape(JSON.stringify(schema, null, 2))}</pre></details>`,
    )
    .join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(info.title)} API</title>
<style>
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent)}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
section{border-top:1px solid var(--line);padding:.5rem 0}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;vertical-align:top}
pre{overflow:auto;border:1px solid var(--line);padding:.75rem;border-radius:.4rem}.get{color:#0a7d4b;font-weight:600}
</style></head><body>
<h1>${escape(info.title)} API <small>${escape(info.version)}</small></h1>
<p>${escape(info.description)} The same as <a href="openapi.json">OpenAPI 3.1</a>.</p>
${operations}
<h2>Schemas</h2>
${schemas}
</body></html>
`;
}

function operation(path: string, { summary, description, parameters = [], responses }: Operation): string {
  const rows = parameters
    .map(
      (parameter) =>
        `<tr><td><code>${escape(parameter.name)}</code></td><td>${escape(parameter.in)}</td><td>${escape(parameter.description ?? "")}</td></tr>`,
    )
    .join("");
  const answers = Object.entries(responses)
    .map(([status, response]) => {
      const ref = Object.values(response.content ?? {})[0]
        ?.schema?.$ref?.split("/")
        .at(-1);
      return `<tr><td><code>${escape(status)}</code></td><td>${escape(response.description)}</td><td>${ref ? `<a href="#${escape(ref)}">${escape(ref)}</a>` : ""}</td></tr>`;
    })
    .join("");
  return `<section><h3><span class="get">GET</span> <code>${escape(path)}</code></h3><p>${escape(summary)}${description ? `. ${escape(description)}` : ""}</p>
${rows ? `<table><tr><th>parameter</th><th>in</th><th></th></tr>${rows}</table>` : ""}<table><tr><th>status</th><th></th><th>body</th></tr>${answers}</table></section>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
