/** All mutants of some files, compiled into them behind switches by StrykerJS's instrumenter. */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { Instrumenter } from "@stryker-mutator/instrumenter";

/** One change of one expression or statement. */
export interface Mutant {
  /** The value of the switch that turns it on. */
  readonly id: string;
  /** Path from the root of the repository. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly mutator: string;
  readonly original: string;
  readonly replacement: string;
}

export interface Instrumented {
  readonly mutants: readonly Mutant[];
  /** Absolute path → TypeScript with all mutants. */
  readonly sources: Readonly<Record<string, string>>;
}

/** Text of an error for people: nothing decides by it. */
const errorTexts = {
  shouldIgnore: (path: SyntaxPath): string | undefined => {
    const { node } = path;
    const isText = node.type === "TemplateLiteral" || (node.type === "StringLiteral" && node.value!.includes(" "));
    return isText && path.findParent(isError) ? "the text of an error" : undefined;
  },
};

/** What is needed of Babel's NodePath. */
interface SyntaxPath {
  readonly node: { readonly type: string; readonly value?: string; readonly callee?: { readonly name?: string } };
  findParent(matches: (path: SyntaxPath) => boolean): SyntaxPath | null;
}

function isError({ node }: SyntaxPath): boolean {
  return node.type === "NewExpression" && node.callee?.name?.endsWith("Error") === true;
}

const no = (): boolean => false;
const silent = (): void => undefined;
const logger = {
  ...{ isTraceEnabled: no, isDebugEnabled: no, isInfoEnabled: no, isWarnEnabled: no, isErrorEnabled: no },
  ...{ isFatalEnabled: no, trace: silent, debug: silent, info: silent, warn: silent, error: silent, fatal: silent },
};

/** Reads the files (absolute paths) and mutates them. Text of error messages is left as it is. */
export async function instrument(root: string, files: readonly string[]): Promise<Instrumented> {
  const instrumenter = new Instrumenter(logger);
  const contents = new Map(files.map((name) => [name, readFileSync(name, "utf8")]));
  const result = await instrumenter.instrument(
    [...contents].map(([name, content]) => ({ name, content, mutate: true })),
    { excludedMutations: [], ignorers: [errorTexts as never], plugins: null },
  );
  const placed = result.mutants.filter(({ status }) => status !== "Ignored");
  const mutants = placed.map((mutant) => ({
    id: mutant.id,
    file: relative(root, mutant.fileName),
    line: mutant.location.start.line + 1,
    mutator: mutant.mutatorName,
    original: oneLine(textAt(contents.get(mutant.fileName)!, mutant.location)),
    replacement: oneLine(mutant.replacement ?? ""),
  }));
  return { mutants, sources: Object.fromEntries(result.files.map(({ name, content }) => [name, content])) };
}

interface Location {
  readonly start: { readonly line: number; readonly column: number };
  readonly end: { readonly line: number; readonly column: number };
}

function textAt(content: string, { start, end }: Location): string {
  const lines = content.split("\n").slice(start.line, end.line + 1);
  lines[lines.length - 1] = lines.at(-1)!.slice(0, end.column);
  lines[0] = lines[0]!.slice(start.column);
  return lines.join("\n");
}

function oneLine(code: string): string {
  return code.replaceAll(/\s+/g, " ");
}
