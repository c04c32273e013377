import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { topics } from "../domain/topics.ts";
import { fill, FILL_START, type Load, message, MESSAGE_MS, READINGS_PER_MESSAGE } from "./load.ts";
import { readThrough, type Throughput } from "./scenarios.ts";
import { onStage } from "./stage.ts";

/** Where the job in Flink looks for its broker and its input. */
const FLINK_KAFKA_PORT = 9092;
const FLINK_INPUT = "imu-anchor";
const HOUR_MS = 3_600_000;
/** The first run builds the job with Maven. */
const LIMIT_MS = 1_800_000;

export interface FlinkResult {
  readonly perCpuSecond: number;
  readonly perSecond: number;
  readonly peakMb: number;
}

/** Whether the folder has the job in Flink. */
export function hasFlink(folder: string): boolean {
  return existsSync(join(folder, "run"));
}

/**
 * The windows-only job over the same messages on the same broker: first in Flink, then here.
 *
 * @param variant Of the Flink job: `a` as most people write it, `b` as an expert does, `c` as `b` without the shuffle
 * @throws Error with what the job said when it gave no result
 */
export function besideFlink(
  load: Load,
  variant: string,
  flink: string,
  folder: string,
  work: string,
): Promise<{ readonly flink: FlinkResult; readonly millrace: Throughput }> {
  return onStage(
    { partitions: load.partitions, folder, kafkaPort: FLINK_KAFKA_PORT, inputs: [FLINK_INPUT] },
    async (stage) => {
      const messages = await fill(stage.kafka, load, FLINK_INPUT);
      const producer = stage.kafka.producer();
      await producer.connect();
      // The last record of each partition ends the job's time; it is no reading of the comparison.
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
      await fill(stage.kafka, load, topics.imuData.name);
      const result = await runFlink(flink, variant, messages * READINGS_PER_MESSAGE, work);
      return {
        flink: result,
        millrace: await readThrough(
          { ...stage, settings: { ...stage.settings, outputs: "windows" } },
          messages,
          0,
          load.sensors,
        ),
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
  let said = "";
  for await (const chunk of child.stdout) said += String(chunk);
  const line = /^RESULT (\{.*\})$/m.exec(said);
  if (!line || !/^VERIFY .* OK$/m.test(said))
    throw new Error(`the job in Flink gave no right result; it said\n${said}`);
  const { rpsCpu, rpsWall, rssMB } = JSON.parse(line[1]!) as { rpsCpu: number; rpsWall: number; rssMB: number };
  return { perCpuSecond: rpsCpu, perSecond: rpsWall, peakMb: rssMB };
}
