import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { topics } from "../domain/topics.ts";
import { withBenchServers } from "./bench-servers.ts";
import { showThroughput, standardLoad } from "./engine-scenarios.ts";
import { putInForce, readThrough, type Throughput } from "./engine.ts";
import { fill, FILL_START, type Load, message, MESSAGE_MS, READINGS_PER_MESSAGE } from "./load.ts";
import { million, type Scenario } from "./scenario.ts";

/** The Flink job expects its broker and its input here. */
const FLINK_KAFKA_PORT = 9092;
const FLINK_INPUT = "imu-anchor";
const HOUR_MS = 3_600_000;
/** Includes the first run's build with Maven. */
const LIMIT_MS = 1_800_000;

export interface FlinkResult {
  /** Readings per second of user and system time. */
  readonly perCpuSecond: number;
  /** Readings per second of wall time. */
  readonly perSecond: number;
  readonly peakMb: number;
}

export const flink: Scenario = {
  about: "the scenario windows in Apache Flink (--flink) and in Millrace, over the same messages; needs port 9092",
  run: async (bench) => {
    const { flink: folder, flinkVariant } = bench.options;
    if (folder === undefined || !hasFlink(folder))
      return bench.report("flink", { skipped: true }, "skipped: --flink DIR must name the folder of the Flink job");
    const found = await besideFlink(
      standardLoad(bench),
      flinkVariant,
      folder,
      bench.folder("flink"),
      bench.path(".millrace", "flink"),
    );
    const { perCpuSecond, perSecond, peakMb } = found.flink;
    bench.report(
      `flink ${flinkVariant}, parallelism 1`,
      found.flink,
      `${million(perCpuSecond)} readings/CPU s   ${million(perSecond)}/s   ${peakMb} MB`,
    );
    bench.report("  beside it, windows", found.millrace, showThroughput(found.millrace));
  },
};

/** Whether the folder contains the Flink job. */
export function hasFlink(folder: string): boolean {
  return existsSync(join(folder, "run"));
}

/**
 * Runs the windows-only job over the same messages on the same broker, first in Flink, then in Millrace.
 *
 * @param variant Variant of the Flink job: `a` is the usual way to write it, `b` is tuned, `c` is `b` without a
 *   shuffle.
 * @param flink Folder of the Flink job.
 * @throws Error with the job's output when it gave no verified result
 */
export function besideFlink(
  load: Load,
  variant: string,
  flink: string,
  folder: string,
  work: string,
): Promise<{ readonly flink: FlinkResult; readonly millrace: Throughput }> {
  return withBenchServers(
    { partitions: load.partitions, folder, kafkaPort: FLINK_KAFKA_PORT, inputs: [FLINK_INPUT] },
    async (servers) => {
      const messages = await fill(servers.kafka, load, FLINK_INPUT);
      const producer = servers.kafka.producer();
      await producer.connect();
      // One record per partition, an hour later, ends the job's event time. It does not count.
      const end = FILL_START + (load.messages / load.sensors) * MESSAGE_MS + HOUR_MS;
      await producer.send({
        topic: FLINK_INPUT,
        messages: Array.from({ length: load.partitions }, (_, partition) => ({
          ...message(load, 0, 0, end),
          key: `zz${partition}`,
          partition,
        })),
      });
      await producer.disconnect();
      const set = await putInForce(servers.kafka, { outputs: "windows" });
      await fill(servers.kafka, load, topics.imuData.name);
      const result = await runFlink(flink, variant, messages * READINGS_PER_MESSAGE, work);
      return {
        flink: result,
        millrace: await readThrough(servers.kafka, servers.settings, {
          messages,
          control: set,
          sensors: load.sensors,
        }),
      };
    },
  );
}

async function runFlink(folder: string, variant: string, readings: number, work: string): Promise<FlinkResult> {
  const child = spawn(join(folder, "run"), ["flink", variant, "1"], {
    env: { ...process.env, IN: FLINK_INPUT, READINGS: String(readings), WORK: work },
    stdio: ["ignore", "pipe", "inherit"],
    timeout: LIMIT_MS,
  });
  let output = "";
  for await (const chunk of child.stdout) output += String(chunk);
  const line = /^RESULT (\{.*\})$/m.exec(output);
  if (!line || !/^VERIFY .* OK$/m.test(output))
    throw new Error(`the Flink job gave no verified result. Its output:\n${output}`);
  const { rpsCpu, rpsWall, rssMB } = JSON.parse(line[1]!) as { rpsCpu: number; rpsWall: number; rssMB: number };
  return { perCpuSecond: rpsCpu, perSecond: rpsWall, peakMb: rssMB };
}
