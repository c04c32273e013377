import { readFileSync } from "node:fs";
import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { publishedReference, publishReference } from "../../../adapters/publish-reference.ts";
import { runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { topics } from "../../../domain/topics.ts";
import { parseReferenceArguments } from "./arguments.ts";

async function main(args: readonly string[]): Promise<void> {
  const given = parseReferenceArguments(args);
  const text = given.command === "publish" ? read(given.file) : null;
  const connection = readSettings("dump", withConnectionOptions(process.env, { brokers: given.brokers }));
  const kafka = createKafka(connection, "millrace-reference");
  const topic = topics[pipelines.market.input].name;
  if (text === null) {
    const last = await publishedReference(kafka, topic);
    const state = last?.done ? "published" : "interrupted: give its command again";
    console.log(
      last
        ? `${topic}: version ${last.version} (${state}), ${last.parts} parts, SHA-256 ${last.sha256}`
        : `${topic}: no reference data was published`,
    );
    return;
  }
  const made = await publishReference(kafka, topic, text);
  console.log(
    made === null
      ? `${topic}: this version was published already; nothing was appended`
      : `${topic}: change ${made.id} ${made.resumed ? "finished" : "appended"} in ${made.partitions} partitions; ` +
          "each task enriches with it from there on",
  );
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new MillraceError("arguments-invalid", `${file} can't be read: ${(cause as Error).message}`, { cause });
  }
}

await runCommand(main);
