import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { partitionsOf } from "../../../adapters/read-partition.ts";
import { print, runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { topics } from "../../../domain/topics.ts";
import { inputLine } from "../dump/dump-topic.ts";
import { parseDeadLettersArguments, type DeadLettersCommand } from "./arguments.ts";
import { letterAt } from "./letter-at.ts";
import { findLetters, letterLine, MAX_LOOKED_AT } from "./list.ts";
import { letterName } from "./record-of-letter.ts";
import { sendAgain } from "./send-again.ts";
import { sentLetters } from "./sent-letters.ts";
import { letterText } from "./show.ts";

type Cluster = ReturnType<typeof openCluster>;

async function main(args: readonly string[]): Promise<void> {
  const { command, brokers } = parseDeadLettersArguments(args);
  const kafka = createKafka(
    readSettings("kafkaTools", withConnectionOptions(process.env, { brokers })),
    "millrace-dead-letters",
  );
  const cluster = openCluster(kafka);
  try {
    if (command.name === "list") await list(cluster, command);
    else if (command.name === "show") await show(cluster, command);
    else {
      const { filter, dryRun } = command;
      const { missing, ...summary } = await sendAgain({ kafka, cluster, filter, dryRun, warn });
      await print(`${JSON.stringify({ ...(dryRun ? { dryRun } : {}), ...summary })}\n`);
      if (missing.length > 0) throw noLetter(missing);
    }
  } finally {
    await cluster.disconnect();
  }
}

async function list(cluster: Cluster, { filter, limit, json }: DeadLettersCommand & { name: "list" }): Promise<void> {
  const { records, end } = await findLetters(cluster, filter, limit);
  for (const record of records) await print(json ? inputLine(record) : letterLine(record));
  if (end === "limit") warn(`there may be more: these are the newest ${limit}; --limit N shows more`);
  if (end === "looked-at") warn(`stopped after ${MAX_LOOKED_AT} letters: --from and --to say where to look`);
  if (records.length === 0) warn("no letter matches");
}

async function show(cluster: Cluster, { filter, id }: DeadLettersCommand & { name: "show" }): Promise<void> {
  const place = placeOf(id);
  const { records, end } = place
    ? { records: [await letterAt(cluster, place.partition, place.offset)].filter((one) => one !== null), end: null }
    : await findLetters(cluster, filter, 1);
  const [record] = records;
  if (!record && end === "looked-at") {
    throw new MillraceError(
      "arguments-invalid",
      `${id} is not among the newest ${MAX_LOOKED_AT} letters: give its place, dead-letter/PARTITION/OFFSET`,
    );
  }
  if (!record) throw noLetter([id]);
  await partitionsOf(cluster, topics.progress.name);
  const sent = await sentLetters(cluster, record.partition);
  await print(letterText(record, sent.has(letterName(record))));
}

/** The partition and offset that a letter's place says; null for an id. */
function placeOf(id: string): { readonly partition: number; readonly offset: number } | null {
  const [, partition, offset] = new RegExp(`^${topics.deadLetter.name}/(\\d+)/(\\d+)$`).exec(id) ?? [];
  return offset === undefined ? null : { partition: Number(partition), offset: Number(offset) };
}

function noLetter(ids: readonly string[]): MillraceError {
  const message =
    `there is no letter ${ids.join(", ")} in ${topics.deadLetter.name} (any more): it keeps letters for 30 days; ` +
    `the lake's table dead_letters has the older ones`;
  return new MillraceError("arguments-invalid", message);
}

function warn(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

await runCommand(main);
