import { parseCommandLine, text } from "../../../adapters/command-line.ts";
import { CHANGE } from "../../../domain/controls.ts";
import { semanticsSettings, type Semantics } from "../../../domain/semantics.ts";
import { readSemantics, semanticsOptions } from "../replay/semantics-options.ts";

const USAGE = `npm run settings -- show | set [OPTION …] [--change NAME] [--brokers HOST:PORT,…]
  show   prints the settings in force, and the change that brought them
  set    appends a settings record to every input partition: these settings are in force from there on. What is not
         given stays as it is. A command that was interrupted is finished by giving it again.
  --change NAME      names the change: a task takes it once
${semanticsSettings.map(([, { option, doc }]) => `  --${option.padEnd(16)} ${doc}`).join("\n")}
Kafka is KAFKA_BROKERS, the pipeline is PIPELINE.`;

export interface SettingsArguments {
  readonly command: "show" | "set";
  /** What `set` changes. */
  readonly wanted: Partial<Semantics>;
  readonly change: string | undefined;
  readonly brokers: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseSettingsArguments(args: readonly string[]): SettingsArguments {
  const { values, positionals } = parseCommandLine(args, {
    usage: USAGE,
    options: { ...semanticsOptions, brokers: text, change: text },
    takesPositionals: true,
    check: ({ change, ...given }, [command, ...rest]) => [
      ...(command === "show" || command === "set" ? [] : [`${JSON.stringify(command ?? "")} is no command`]),
      ...rest.map((word) => `${JSON.stringify(word)} is no option`),
      ...(command === "set" && Object.keys(readSemantics(given)).length === 0 ? ["set needs a setting"] : []),
      ...(command === "show" && Object.keys(readSemantics(given)).length > 0 ? ["show takes no setting"] : []),
      ...(change !== undefined && !CHANGE.test(change)
        ? [`--change is ${JSON.stringify(change)}; 1 to 128 printable ASCII characters are expected`]
        : []),
    ],
  });
  const { change, brokers, ...given } = values;
  return { command: positionals[0] as "show" | "set", wanted: readSemantics(given), change, brokers };
}
