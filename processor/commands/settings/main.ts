import { applySettings, settingsInForce } from "../../../adapters/apply-settings.ts";
import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { semanticsSettings } from "../../../domain/semantics.ts";
import { topics } from "../../../domain/topics.ts";
import { parseSettingsArguments } from "./arguments.ts";

async function main(args: readonly string[]): Promise<void> {
  const { command, wanted, change, brokers } = parseSettingsArguments(args);
  const { pipeline, ...connection } = readSettings("processor", withConnectionOptions(process.env, { brokers }));
  const kafka = createKafka(connection, "millrace-settings");
  const topic = topics[pipelines[pipeline].input].name;
  const inForce = await settingsInForce(kafka, topic);
  if (command === "show") {
    const by = inForce.change === null ? "no settings record: the defaults" : `change ${inForce.change}`;
    console.log(`${topic}: ${by}${inForce.done ? "" : " (interrupted: give its command again)"}`);
    for (const [name, { option }] of semanticsSettings) console.log(`  --${option} ${inForce.settings[name]}`);
    return;
  }
  const options = { id: change, checkTasks: true };
  const made = await applySettings(kafka, topic, { ...inForce.settings, ...wanted }, options);
  console.log(
    made === null
      ? `${topic}: these settings are in force already; nothing was appended`
      : `${topic}: change ${made.id} ${made.resumed ? "finished" : "appended"} in ${made.partitions} partitions; ` +
          "each task switches there",
  );
}

await runCommand(main);
