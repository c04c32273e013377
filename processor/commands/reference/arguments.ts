import { parseCommandLine, text } from "../../../adapters/command-line.ts";

const USAGE = `npm run reference -- publish FILE | show [--brokers HOST:PORT,…]
  publish FILE   puts the market's reference data of this JSON file in force: rates, flags and compliance rules. Each
                 input partition gets it, and each task enriches with it from there on. A command that was interrupted
                 is finished by giving it again.
  show           prints the version that was published last
Kafka is KAFKA_BROKERS.`;

export type ReferenceArguments = { readonly brokers: string | undefined } & (
  | { readonly command: "show" }
  | { readonly command: "publish"; readonly file: string }
);

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseReferenceArguments(args: readonly string[]): ReferenceArguments {
  const { values, positionals } = parseCommandLine(args, {
    usage: USAGE,
    options: { brokers: text },
    takesPositionals: true,
    check: (_, [command, file, ...rest]) => [
      ...(command === "show" || command === "publish" ? [] : [`${JSON.stringify(command ?? "")} is no command`]),
      ...(command === "publish" && file === undefined ? ["publish needs a FILE"] : []),
      ...(command === "show" && file !== undefined ? [`show takes no ${JSON.stringify(file)}`] : []),
      ...rest.map((word) => `${JSON.stringify(word)} is one word too many`),
    ],
  });
  const [command, file] = positionals as ["show" | "publish", string];
  const rest = { brokers: values.brokers };
  return command === "show" ? { command, ...rest } : { command, file, ...rest };
}
