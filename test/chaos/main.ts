import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { topicConfig } from "../../adapters/kafka-topics.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { topics } from "../../domain/topics.ts";
import { seededRandom } from "../../simulator/random.ts";
import { KafkaCluster } from "../support/kafka-cluster.ts";
import { type Fault, type FaultName, kill, mountSmallDisk, namedFaults } from "./faults.ts";
import { chaos } from "./run.ts";

const NAMES: readonly FaultName[] = ["kill", ...(Object.keys(namedFaults) as (keyof typeof namedFaults)[])];
const USAGE = `npm run chaos -- [--minutes 5] [--sensors 40] [--rate 100] [--seed N] [--data DIR] [--pause-s 4]
                 [--only ${NAMES.join(",")}]
Runs the whole platform under load and injects faults at random, then accounts for every reading and replays the log.
Exit code 1 when anything was lost or duplicated, when the replay differs, or when a task stopped or restarted without
a fault that explains it.
  kill      a program or server dies by kill -9
  broker    one of three Kafka brokers dies, and comes back
  dynamodb  DynamoDB answers nothing for a minute
  poison    bytes that no device should send
  foreign   Kafka's own producer appends a compressed batch
  settings  other settings come into force
  rolling   two processors are restarted one after the other
  disk      the MQTT broker's disk is full for 20 s (needs the right to mount; left out without it)
node test/chaos/bridge/main.ts is the loop about the bridge.`;

/** The processes to kill. The processor and the bridge, which carry the guarantees, are listed twice. */
const PROCESSES = [
  "bridge",
  "processor",
  "live",
  "event-source",
  "gateway",
  "firehose",
  "kafka",
  "mqtt",
  "dynamodb",
  "mongodb",
  "processor",
  "bridge",
];

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    sensors: { type: "string", default: "40" },
    rate: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    data: { type: "string" },
    "pause-s": { type: "string", default: "4" },
    only: { type: "string", default: NAMES.join(",") },
    help: { type: "boolean", default: false },
  },
});
const [minutes, sensors, rate, seed, pauseS] = [
  values.minutes,
  values.sensors,
  values.rate,
  values.seed,
  values["pause-s"],
].map(Number) as [number, number, number, number, number];
const only = values.only.split(",") as FaultName[];
if (
  values.help ||
  !only.every((name) => NAMES.includes(name)) ||
  ![minutes, sensors, rate, seed, pauseS].every((value) => value >= 0) ||
  minutes === 0
) {
  console.error(USAGE);
  process.exit(values.help ? 0 : 2);
}

/** Faults at random; each of the named ones comes before any comes again. */
function* faults(names: readonly FaultName[]): Generator<Fault> {
  for (const random = seededRandom(seed); ;) {
    const left = names.flatMap((name) => (name === "kill" ? (["kill", "kill", "kill", "kill"] as const) : [name]));
    while (left.length > 0) {
      const [name] = left.splice(Math.floor(random() * left.length), 1);
      yield name === "kill" ? kill(PROCESSES[Math.floor(random() * PROCESSES.length)]!) : namedFaults[name!];
    }
  }
}

/** Three brokers, with the topics of the platform in three replicas. */
async function startCluster(): Promise<KafkaCluster> {
  const cluster = await KafkaCluster.start();
  const connection = { kafkaBrokers: cluster.kafkaBrokers, kafkaAuth: "none", region: "local" } as const;
  const admin = createKafka(connection, "chaos").admin();
  await admin.connect();
  await admin.createTopics({
    topics: Object.values(topics).map((spec) => ({ ...topicConfig(spec), replicationFactor: 3 })),
    waitForLeaders: true,
  });
  await admin.disconnect();
  return cluster;
}

const home = join(import.meta.dirname, "..", "..", ".millrace", `chaos-${process.pid}`);
mkdirSync(home, { recursive: true });
let unmount = (): void => undefined;
let names = only;
if (only.includes("disk")) {
  try {
    unmount = mountSmallDisk(home);
  } catch (error) {
    console.log(`disk is left out: ${(error as Error).message.trim()}`);
    names = only.filter((name) => name !== "disk");
  }
}
const cluster = only.includes("broker") ? await startCluster() : null;
console.log(`chaos with seed ${seed}: ${sensors} sensors for ${minutes} minutes`);
const simulator = [
  "--sensors",
  String(sensors),
  "--rate",
  String(rate),
  "--seed",
  String(seed),
  "--duration",
  String(minutes * 60),
  "--faults",
  "duplicate=0.01,late=0.01,corrupt=0.001,disconnect=0.001",
  ...(values.data ? ["--data", values.data] : []),
];
const result = await chaos({
  home,
  simulator,
  faults: faults(names),
  cluster,
  pauseMs: pauseS * 1_000,
  onProgress: (message) => console.log(`  ${message}`),
});
await cluster?.stop();
unmount();
const { accounts, restarts, replay, ok } = result;
const kinds = new Map<string, number>();
for (const { name } of result.faults) kinds.set(name, (kinds.get(name) ?? 0) + 1);
const listed = (counts: Iterable<readonly [string, number]>): string =>
  [...counts].map(([name, times]) => `${times} ${name}`).join(", ") || "none";
const recoveries = result.faults.map(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b);
const longest = recoveries.at(-1) ?? "–";
const median = recoveries[Math.floor(recoveries.length / 2)] ?? "–";
console.log(`
faults        ${listed(kinds)}
recoveries    ${recoveries.length}; median ${median} ms, longest ${longest} ms
new lives     ${listed(Object.entries(restarts.restarted))}; fenced ${restarts.fenced}
stopped       ${restarts.stopped.length}
readings      ${accounts.published} published, ${accounts.accounted} accounted for
lost          ${accounts.lost}
duplicated    ${accounts.duplicated}
sessions      ${accounts.sessionsExpected} expected, ${accounts.sessionsWrong.length} wrong
dead letters  ${accounts.deadLetters} of ${accounts.deadLettersExpected} corrupt messages and poisoned records
replay        ${replay.compared} records compared, ${replay.differences.length} differences`);
for (const problem of [...restarts.stopped, ...accounts.sessionsWrong, ...replay.differences].slice(0, 20))
  console.log(`  ${problem}`);
if (ok) rmSync(home, { recursive: true, force: true });
else console.log(`seed ${seed}; the data are kept in ${home}`);
process.exit(ok ? 0 : 1);
