import type { z } from "zod";
import { MillraceError } from "../domain/errors.ts";
import { pipelineNames } from "../domain/pipelines.ts";
import { semanticsOf } from "../domain/semantics.ts";
import { contradictions } from "./rules/index.ts";
import { environmentSchema, type Environment } from "./schema.ts";

/**
 * Validates an environment.
 *
 * @throws MillraceError `config-invalid` that lists every problem, each with its path: fields that are not well-formed
 *   or unknown, and contradictions between fields
 */
export function readEnvironment(input: unknown): Environment {
  const parsed = environmentSchema.safeParse(input);
  const problems = parsed.success
    ? contradictions(parsed.data)
    : [
        ...parsed.error.issues.flatMap((issue) => problemsOf(issue, input)),
        ...contradictions(wellFormedSections(input, parsed.error)),
      ];
  if (!parsed.success || problems.length > 0)
    throw new MillraceError(
      "config-invalid",
      `the environment's config has ${problems.length} problem(s):\n` +
        problems.map((problem) => `  - ${problem}`).join("\n"),
    );
  return { ...parsed.data, semantics: semanticsOf(parsed.data.processor.semantics) };
}

/** One problem per field, and one per unknown key. */
function problemsOf(issue: z.core.$ZodIssue, input: unknown): string[] {
  if (issue.code !== "unrecognized_keys") return [`${pathText(issue.path) || "(top)"}: ${issue.message}`];
  const holder = valueAt(input, issue.path);
  return issue.keys.map((key) => `${pathText([...issue.path, key])}: ${unknownKey(issue.path, key, holder[key])}`);
}

/** A key of `processor` whose value is no plain setting was meant as a pipeline. */
function unknownKey(path: readonly PropertyKey[], key: string, value: unknown): string {
  const isPipeline = path.join(".") === "processor" && typeof value === "object";
  return isPipeline ? `there is no pipeline ${key}; there is: ${pipelineNames.join(", ")}` : "there is no such setting";
}

/** The sections that are well-formed once unknown keys are taken away. */
function wellFormedSections(input: unknown, { issues }: z.ZodError): Partial<Environment> {
  if (typeof input !== "object" || input === null) return {};
  const known = structuredClone(input) as Record<string, unknown>;
  for (const issue of issues) {
    if (issue.code !== "unrecognized_keys") continue;
    const holder = valueAt(known, issue.path);
    for (const key of issue.keys) delete holder[key];
  }
  const sections = Object.entries(environmentSchema.shape).flatMap(([name, schema]) => {
    const section = schema.safeParse(known[name]);
    return section.success ? [[name, section.data] as const] : [];
  });
  return Object.fromEntries(sections);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): Record<PropertyKey, unknown> {
  return path.reduce((inner, part) => inner[part] as typeof inner, value as Record<PropertyKey, unknown>);
}

/** A path as one writes it: `network.peerCidrs[0]`. */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
}
