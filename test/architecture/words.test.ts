import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

interface RetiredWord {
  readonly pattern: RegExp;
  /** What to say instead. */
  readonly say: string;
  /** Parts of a line that may have the word. */
  readonly except?: RegExp;
}

/** Words that a reader would have to look up or stop at. To retire another one, add a line. */
const retired: readonly RetiredWord[] = [
  { pattern: /\bstations?\b/i, say: "operator" },
  { pattern: /\blanes?\b/i, say: "partition, or model stream" },
  { pattern: /\bmarks\b/, say: "seen ids, or sent letters" },
  { pattern: /\btold\s*[(:?=]|\.told\b/, say: "onProgress, or what was reported" },
  { pattern: /\boutbox(?:es)?\b/i, say: "record accumulator, or send queue" },
  { pattern: /\bacts\b/i, say: "stream events", except: /acts (?:as|on|like)\b/ },
  { pattern: /\b(?:stop|fail|refus|reject)\w*\b[^.;,]{0,25}\bby name\b/i, say: "stops with a named error" },
  { pattern: /\berrors? by name\b/i, say: "named error" },
  { pattern: /\bgo(?:es|ing)? on\b/i, say: "continue" },
  { pattern: /(?<![\w"'&])#[pct]\b/, say: "a private field's whole name" },
  { pattern: /\b(?:none too (?:early|late)|of sense|as (?:it|they) should be)\b/i, say: "the plain sentence" },
];

const root = join(import.meta.dirname, "..", "..");
/** `LICENSE` and `package-lock.json` are others' words; this file has to name the retired ones. */
const files = globSync("**/*.{ts,tsx,mjs,js,md,html,css,py,java,yaml,yml}", {
  cwd: root,
  exclude: (path) => /(?:^|\/)(?:node_modules|cdk\.out|target|\.millrace|\.git)(?:\/|$)/.test(path),
}).filter((path) => path !== "test/architecture/words.test.ts");

/** Lines with a retired word, as `file:line: the line (say …)`. */
function hits(path: string, text: string): string[] {
  return text
    .split("\n")
    .flatMap((line, i) =>
      retired
        .filter(({ pattern, except }) => pattern.test(except ? line.replaceAll(new RegExp(except, "g"), "") : line))
        .map(({ say }) => `${path}:${i + 1}: ${line.trim().slice(0, 120)} (say: ${say})`),
    );
}

test("no source, page or message has a retired word", () => {
  expect(files.length).toBeGreaterThan(400);
  expect(files.flatMap((path) => hits(path, readFileSync(join(root, path), "utf8")))).toEqual([]);
});

test("a retired word is found with its file and line, and a legitimate use is not", () => {
  expect(hits("a.ts", "one\nthe task stops by name\nconst x = this.#p;")).toEqual([
    "a.ts:2: the task stops by name (say: stops with a named error)",
    "a.ts:3: const x = this.#p; (say: a private field's whole name)",
  ]);
  expect(hits("b.ts", "/** Models by name and version. It acts as one. */")).toEqual([]);
});
