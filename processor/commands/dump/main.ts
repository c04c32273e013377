import { parseArgs } from "node:util";
import { createKafka } from "../../../adapters/kafka.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { openCluster } from "../../adapters/kafka-cluster.ts";
import { dumpTopic } from "./dump-topic.ts";

const USAGE = `npm run dump -- --topic TOPIC [--partition N] [--from OFFSET] [--to OFFSET] [--brokers HOST:PORT,…]
Writes a topic's records as NDJSON, one Kafka record a line in offset order per partition: what \`npm run replay\` reads.
Only committed records; up to the end of each partition as it is at the start. --from is inclusive, --to is not.`;

function parseDumpArguments(args: readonly string[]): {
  topic: string;
  brokers: string | undefined;
  partition: number | undefined;
  from: number;
  to: number;
} {
  const problems: string[] = [];
  const { values } = (() => {
    try {
      return parseArgs({
        args: [...args],
        options: {
          topic: { type: "string" },
          partition: { type: "string" },
          from: { type: "string" },
          to: { type: "string" },
          brokers: { type: "string" },
        },
      });
    } catch (cause) {
      throw new MillraceError("arguments-invalid", `${(cause as Error).message}\n${USAGE}`, { cause });
    }
  })();
  const whole = (name: "from" | "to" | "partition"): number | undefined => {
    const received = values[name];
    if (received === undefined) return undefined;
    if (!/^\d+$/.test(received)) problems.push(`--${name} is ${JSON.stringify(received)}; a whole number is expected`);
    return Number(received);
  };
  const [from, to, partition] = [whole("from"), whole("to"), whole("partition")];
  if (values.topic === undefined) problems.push("--topic TOPIC is missing");
  if (problems.length > 0) throw new MillraceError("arguments-invalid", `${problems.join("\n")}\n${USAGE}`);
  return { topic: values.topic!, brokers: values.brokers, partition, from: from ?? 0, to: to ?? Infinity };
}

try {
  const { topic, brokers, ...range } = parseDumpArguments(process.argv.slice(2));
  const settings = readSettings("processor", { ...process.env, ...(brokers ? { KAFKA_BROKERS: brokers } : {}) });
  const cluster = openCluster(createKafka(settings, "millrace-dump"));
  // A reader that has seen enough (`| head`) closes the pipe: that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  await dumpTopic(cluster, topic, range, async (lines) => {
    if (!process.stdout.write(lines)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  });
  await cluster.disconnect();
} catch (error) {
  console.error(error instanceof MillraceError ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
}
