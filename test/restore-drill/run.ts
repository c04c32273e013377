import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Kafka } from "kafkajs";
import { withIdempotentProducer } from "../../adapters/control-records.ts";
import { dynamoDbClient } from "../../adapters/dynamodb.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { writeSettings } from "../../config/settings.ts";
import { logName } from "../../domain/names.ts";
import { topics } from "../../domain/topics.ts";
import { openLake } from "../../local/lake/open.ts";
import { type PlatformPorts, pickPlatformPorts } from "../../local/processes/ports.ts";
import { modelFiles } from "../../processor/adapters/model-files.ts";
import { ModelStore } from "../../processor/adapters/model-store.ts";
import { openPipeline } from "../../processor/adapters/open-pipeline.ts";
import { rawLakeRecords } from "../../processor/adapters/raw-lake.ts";
import type { InputRecord } from "../../processor/runtime/machine.ts";
import { type Accounts, isSettled, type Published, readTopic, settleAccounts } from "../support/accounting.ts";
import { eventually } from "../support/eventually.ts";
import { StartedPlatform } from "../support/platform.ts";
import { simulate } from "../support/simulate.ts";
import { type Contents, differences, documentsIn, featuresIn, outputsIn, sensorsOf } from "./contents.ts";
import { snapshotsIn, statesFromLake } from "./task-state.ts";

const LIMIT_MS = 240_000;
const PAUSE_MS = 1_000;
const INPUT = topics.imuData.name;
/** Sessions are open at the loss, and end by silence soon enough in the end. */
const SETTINGS = { IDLE_TIMEOUT_MS: "40000" };
/** Messages of the lost log that devices publish again to the new one. */
const SENT_AGAIN = 50;

export interface DrillOptions {
  /** Folder of the platform's data: created, and deleted by the drill's caller. */
  readonly home: string;
  readonly sensors: number;
  /** How long the simulator publishes before the loss, and again behind it, s. */
  readonly seconds: number;
  readonly onProgress: (message: string) => void;
}

export interface DrillResult {
  /** Folders that were deleted. */
  readonly lost: readonly string[];
  /** What was compared, by kind, and what was not equal. */
  readonly compared: { readonly state: number; readonly outputs: number; readonly documents: number; features: number };
  readonly differences: readonly string[];
  /** Readings of both generations, against what committed readers see now. */
  readonly accounts: Accounts;
  /** Readings in the lake's windows, newest revisions. */
  readonly lakeReadings: number;
  /** Sessions of the lost log that the new one has ended. */
  readonly endedByNext: number;
  readonly ok: boolean;
}

/**
 * Loses everything but the lake and rebuilds it: the platform runs and takes readings; what it has is kept aside;
 * everything but the lake and the models is deleted; a start with `--restore` rebuilds it in the next generation of the
 * log, and all is compared. Then it takes readings again, and both generations are counted.
 */
export async function restoreDrill({ home, sensors, seconds, onProgress }: DrillOptions): Promise<DrillResult> {
  mkdirSync(home, { recursive: true });
  const ports = await pickPlatformPorts();
  const kafkaBrokers = `127.0.0.1:${ports.kafka}`;
  const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "restore-drill");
  const lakeDir = join(home, "data", "lake");
  const first = await run(home, ports, 1, async () => {
    onProgress(`${sensors} sensors publish for ${seconds} s`);
    const published = await publish(home, ports, sensors, seconds);
    onProgress("waiting until the lake and the stores have it");
    const log = await untilInLake(kafka, lakeDir);
    const before = await settled(() => contentsOf(kafka, ports));
    onProgress("comparing the tasks' snapshots with the lake");
    return { published, log, before, state: await compareState(kafka, home, ports) };
  });
  const lost = loseAllButTheLake(home);
  onProgress(`deleted: ${lost.join(", ")}`);
  const second = await run(home, ports, 2, async () => {
    const restored = await eventually(() => contentsOf(kafka, ports), {
      until: (now) => KINDS.every((kind) => differences(first.before[kind], now[kind]).length === 0),
      limitMs: LIMIT_MS,
      pauseMs: PAUSE_MS,
    }).catch(() => contentsOf(kafka, ports));
    onProgress("restored; publishing again in the next generation");
    await sendAgain(kafka, first.log);
    const published = addReports(first.published, await publish(home, ports, sensors, seconds));
    const deadline = Date.now() + LIMIT_MS;
    const accounts = await eventually(() => settleAccounts(kafka, published), {
      until: (now) => isSettled(now) || Date.now() > deadline,
      limitMs: 2 * LIMIT_MS,
      pauseMs: PAUSE_MS,
    });
    const lakeReadings = await eventually(() => readingsInLake(lakeDir), {
      until: (readings) => readings === accounts.published || Date.now() > deadline,
      limitMs: 2 * LIMIT_MS,
      pauseMs: PAUSE_MS,
    });
    return { restored, accounts, lakeReadings, endedByNext: await endedByNext(kafka, first.published) };
  });
  const found = [
    ...first.state.differences,
    ...KINDS.flatMap((kind) => differences(first.before[kind], second.restored[kind])),
  ];
  const { accounts, lakeReadings } = second;
  const { outputs, documents, features } = first.before;
  return {
    lost,
    compared: {
      state: first.state.compared,
      outputs: outputs.size,
      documents: documents.size,
      features: features.size,
    },
    differences: found,
    accounts,
    lakeReadings,
    endedByNext: second.endedByNext,
    ok: found.length === 0 && isSettled(accounts) && lakeReadings === accounts.published,
  };
}

const KINDS = ["outputs", "documents", "features"] as const;
type AllContents = Readonly<Record<(typeof KINDS)[number], Contents>>;

async function contentsOf(kafka: Kafka, ports: PlatformPorts): Promise<AllContents> {
  const documents = await documentsIn(`mongodb://127.0.0.1:${ports.mongodb}`);
  return {
    outputs: await outputsIn(kafka),
    documents,
    features: await featuresIn(`http://127.0.0.1:${ports.features}`, sensorsOf(documents)),
  };
}

/** Runs the platform for as long as `work` takes. */
async function run<T>(home: string, ports: PlatformPorts, generation: number, work: () => Promise<T>): Promise<T> {
  const restore = generation > 1 ? ["--restore"] : [];
  const settings = { ...SETTINGS, LOG_GENERATION: String(generation) };
  const platform = new StartedPlatform(home, ports, ["--no-simulator", ...restore], settings);
  const interrupt = (): void => platform.interrupt();
  process.once("exit", interrupt);
  try {
    await platform.untilUp(LIMIT_MS);
    return await work();
  } catch (error) {
    const said = platform.output.slice(-3_000);
    throw new Error(`${(error as Error).message}\n--- the platform said:\n${said}`, { cause: error });
  } finally {
    platform.interrupt();
    await platform.exited;
    process.off("exit", interrupt);
  }
}

function publish(home: string, ports: PlatformPorts, sensors: number, seconds: number): Promise<Published> {
  const mqttUrl = `mqtt://127.0.0.1:${ports.mqtt}`;
  return simulate(
    [
      "--sensors",
      String(sensors),
      "--rate",
      "50",
      "--duration",
      String(seconds),
      "--faults",
      "duplicate=0.1,late=0.05",
    ],
    writeSettings("simulator", { mqttUrl, logLevel: "error", healthPort: 0 }),
    join(home, "published.json"),
    (text) => (JSON.parse(text) as { sensors: Published }).sensors,
  ).result;
}

/** Waits until the lake has every record of a device, and gives the log. */
async function untilInLake(kafka: Kafka, lakeDir: string): Promise<InputRecord[]> {
  const log = (await readTopic(kafka, INPUT)).flat();
  const wanted = log.filter(({ key }) => key !== null).length;
  await eventually(() => countLake(lakeDir, ({ key }) => key !== null), {
    until: (count) => count === wanted,
    limitMs: LIMIT_MS,
    pauseMs: PAUSE_MS,
  });
  return log;
}

async function countLake(lakeDir: string, counts: (record: InputRecord) => boolean): Promise<number> {
  let count = 0;
  for await (const record of rawLakeRecords(lakeDir, INPUT, INPUT, () => undefined)) if (counts(record)) count++;
  return count;
}

/** What is the same twice in a row: the stores follow Kafka with a delay. */
async function settled(read: () => Promise<AllContents>): Promise<AllContents> {
  let last = await read();
  return eventually(
    async () => {
      const now = await read();
      const isSame = KINDS.every((kind) => now[kind].size > 0 && differences(last[kind], now[kind]).length === 0);
      last = now;
      return { now, isSame };
    },
    { until: ({ isSame }) => isSame, limitMs: LIMIT_MS, pauseMs: 3 * PAUSE_MS },
  ).then(({ now }) => now);
}

/** Compares the tasks' snapshots, all of which cover every reading, with the state that the lake gives. */
async function compareState(
  kafka: Kafka,
  home: string,
  ports: PlatformPorts,
): Promise<{ readonly compared: number; readonly differences: string[] }> {
  const models = { source: new ModelStore(modelFiles(join(home, "models"), "local")), refused: () => undefined };
  const factory = openPipeline("sensor", models, {});
  const log = await readTopic(kafka, INPUT);
  const lakeDir = join(home, "data", "lake");
  const dynamodb = dynamoDbClient("local", `http://127.0.0.1:${ports.dynamodb}`);
  try {
    const kept = await eventually(() => snapshotsIn(dynamodb, factory, log.length), {
      until: ({ nextOffsets }) =>
        log.every((records, partition) =>
          records.every(({ key, offset }) => key === null || offset < (nextOffsets.get(partition) ?? 0)),
        ),
      limitMs: LIMIT_MS,
      pauseMs: PAUSE_MS,
    });
    const isCovered = ({ partition, offset }: InputRecord): boolean => offset < kept.nextOffsets.get(partition)!;
    const covered = (await readTopic(kafka, INPUT)).flat().filter(isCovered).length;
    await eventually(() => countLake(lakeDir, isCovered), {
      until: (count) => count === covered,
      limitMs: LIMIT_MS,
      pauseMs: PAUSE_MS,
    });
    const rebuilt = await statesFromLake(lakeDir, factory, kept);
    return { compared: kept.contents.size, differences: differences(kept.contents, rebuilt) };
  } finally {
    dynamodb.destroy();
  }
}

/** Deletes all data of a stopped platform but the lake. Models are part of the deployment. */
function loseAllButTheLake(home: string): string[] {
  const data = join(home, "data");
  const lost = readdirSync(data).filter((name) => name !== "lake");
  for (const name of lost) rmSync(join(data, name), { recursive: true });
  return lost;
}

/** Devices that did not hear of the acknowledgement publish again: the state that was restored knows what it has. */
async function sendAgain(kafka: Kafka, log: readonly InputRecord[]): Promise<void> {
  const records = log.filter(({ key }) => key !== null).slice(-SENT_AGAIN);
  await withIdempotentProducer(kafka, async (producer) => {
    for (const { partition, key, value, headers } of records) {
      const message = { partition, key: key as Buffer, value: value as Buffer, headers };
      await producer.send({ topic: INPUT, acks: -1, messages: [message] });
    }
  });
}

function addReports(before: Published, after: Published): Published {
  return Object.fromEntries(
    Object.entries(after).map(([sensor, report]) => {
      const earlier = before[sensor]!;
      const samples = earlier.samples + report.samples;
      return [sensor, { ...report, samples, executions: [...earlier.executions, ...report.executions] }];
    }),
  );
}

async function readingsInLake(lakeDir: string): Promise<number> {
  const lake = await openLake(lakeDir);
  try {
    const rows = await lake.runAndReadAll(
      `SELECT CAST(sum(n) AS DOUBLE) FROM
       (SELECT max_by(count, revision) AS n FROM aggregated_exact GROUP BY sensor_id, window_start)`,
    );
    return Number(rows.getRows()[0]![0]);
  } finally {
    lake.closeSync();
  }
}

/** Sessions that began in the lost log and whose end the new one has told. */
async function endedByNext(kafka: Kafka, before: Published): Promise<number> {
  const starts = new Set(
    Object.entries(before).flatMap(([sensor, { executions }]) => executions.map(({ start }) => `${sensor}@${start}`)),
  );
  const ended = new Set<string>();
  for (const { value } of (await readTopic(kafka, topics.sessions.name)).flat()) {
    const session = JSON.parse(Buffer.from(value!).toString("utf8")) as { id: string; type: string; sessionId: string };
    const isOfNext = session.id.startsWith(`${logName(INPUT, 2)}/`);
    if (isOfNext && session.type === "ended" && starts.has(session.sessionId)) ended.add(session.sessionId);
  }
  return ended.size;
}
