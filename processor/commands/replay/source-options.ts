import { text, type OptionValues } from "../../../adapters/command-line.ts";

/** Where the records come from. */
export type ReplaySource =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "lake"; readonly dir: string };

export const sourceOptions = { input: text, "from-lake": text };
type SourceValues = OptionValues<typeof sourceOptions>;

/** Sources that are missing or contradict one another, as sentences. */
export function sourceProblems(values: SourceValues): string[] {
  const { input, "from-lake": dir } = values;
  if ((input === undefined) !== (dir === undefined)) return [];
  return [
    `exactly one of --input FILE and --from-lake DIR is expected; received ${input === undefined ? "none" : "both"}`,
  ];
}

/** The source that options without problems say. */
export function readSource({ input, "from-lake": dir }: SourceValues): ReplaySource {
  return input === undefined ? { kind: "lake", dir: dir! } : { kind: "file", file: input };
}
