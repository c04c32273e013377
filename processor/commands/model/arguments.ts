import { parseCommandLine, text, type Option } from "../../../adapters/command-line.ts";

const USAGE = `npm run model -- COMMAND [--source FOLDER|s3://bucket/prefix] [--brokers HOST:PORT,…]
  list                  lists what is in the store
  verify NAME VERSION   checks hash, opset, tensors and probe
  import FOLDER         takes in a model folder, an MLflow model directory or an MLflow run as a candidate
  promote NAME VERSION [--stage live|shadow|canary] [--share 0.1]
                        appends a control record to every input partition: the model scores from there on
  promote none          no model scores from there on; works without the files of those that did
  rollback NAME         promotes the version that was live before
  off NAME VERSION      stops its scoring, whatever its stage
The store is MODEL_SOURCE (default .millrace/models), Kafka is KAFKA_BROKERS, the pipeline is PIPELINE.`;

/** What each command takes besides options. */
const commands = {
  list: [],
  verify: ["NAME", "VERSION"],
  import: ["FOLDER"],
  promote: ["NAME", "VERSION"],
  rollback: ["NAME"],
  off: ["NAME", "VERSION"],
} as const;
type CommandName = keyof typeof commands;

const STAGES = ["live", "shadow", "canary"] as const;

/** A command with what it needs. */
export type ModelCommand =
  | { readonly name: "list" }
  | { readonly name: "verify" | "off"; readonly model: string; readonly version: string }
  | { readonly name: "import"; readonly folder: string }
  | {
      readonly name: "promote";
      readonly model: string;
      readonly version: string;
      readonly stage: (typeof STAGES)[number];
      /** Share of the sensors, above 0 and at most 1. Only a canary has it. */
      readonly share: number | undefined;
    }
  | { readonly name: "promote-none" }
  | { readonly name: "rollback"; readonly model: string };

export interface ModelArguments {
  readonly command: ModelCommand;
  readonly source: string | undefined;
  readonly brokers: string | undefined;
}

const stage: Option<(typeof STAGES)[number]> = {
  isFlag: false,
  read: (received) => STAGES.find((name) => name === received),
  expected: "live, shadow or canary is expected",
};
const share: Option<number> = {
  isFlag: false,
  read: (received) => (Number(received) > 0 && Number(received) <= 1 ? Number(received) : undefined),
  expected: "a share of the sensors above 0 and at most 1 is expected",
};

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseModelArguments(args: readonly string[]): ModelArguments {
  const { values, positionals } = parseCommandLine(args, {
    usage: USAGE,
    options: { source: text, brokers: text, stage, share },
    takesPositionals: true,
    check: (given, [name, ...rest]) => [
      ...(isNone(name, rest[0], rest[1]) ? [] : commandProblems(name, rest.length)),
      ...(given.stage === "canary" && given.share === undefined ? ["--stage canary needs --share"] : []),
    ],
  });
  const [name, first, second] = positionals as [CommandName, string, string];
  const { source, brokers } = values;
  return { command: commandOf(name, first, second, values), source, brokers };
}

/** Whether this is `promote none`: a model is named with its version. */
function isNone(name: string | undefined, model: string | undefined, version: string | undefined): boolean {
  return name === "promote" && model === "none" && version === undefined;
}

function commandProblems(name: string | undefined, count: number): string[] {
  if (name === undefined) return ["a command is missing"];
  if (!Object.hasOwn(commands, name)) return [`${JSON.stringify(name)} is no command`];
  const expected = commands[name as CommandName];
  if (expected.length === count) return [];
  const takes = expected.length === 0 ? "no arguments" : expected.join(" and ");
  return [`${name} takes ${takes}; received ${count} argument${count === 1 ? "" : "s"}`];
}

function commandOf(
  name: CommandName,
  first: string,
  second: string,
  options: { readonly stage?: (typeof STAGES)[number]; readonly share?: number },
): ModelCommand {
  switch (name) {
    case "list":
      return { name };
    case "import":
      return { name, folder: first };
    case "rollback":
      return { name, model: first };
    case "verify":
    case "off":
      return { name, model: first, version: second };
    case "promote":
      if (isNone(name, first, second)) return { name: "promote-none" };
      return { name, model: first, version: second, stage: options.stage ?? "live", share: options.share };
  }
}
