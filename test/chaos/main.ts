import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "../../simulator/synthetic/random.ts";
import { type FaultName, faultNames, faultRounds } from "./faults.ts";
import { chaos } from "./run.ts";

const USAGE = `npm run chaos -- [--minutes 10] [--sensors 40] [--rate 100] [--seed N] [--data DIR] [--pause-s 4]
                 [--faults LIST] [--market]
Runs the whole platform under load, injects faults one after the other, then accounts for every reading and replays the
log. Exit code 1 when anything was lost or duplicated, when the replay differs, or when tasks restarted or were fenced
more often than a fault explains, or without a reason of the failure table.

  --market        a market runs beside the sensors: each trade is accounted for, and its processes are killed, too
  --faults LIST   which faults, separated by commas (all):
                  kill             a program or a server dies by kill -9; the processor and the bridge most often
                  brokers          Kafka has three brokers, and one of them dies and returns
                  dynamodb-away    DynamoDB does not answer for a minute
                  poison           records that no device sends; each is a dead letter
                  foreign-batch    Kafka's own producer writes batches by gzip, snappy, lz4 and zstd
                  settings         npm run settings -- set changes windows, lateness and the gap of sessions
                  rolling-restart  a second processor joins, and both are restarted in turn
                  mqtt-disk-full   the MQTT broker has less free disk than it wants
                  bridge-loop      the bridge is killed again and again while it starts`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    sensors: { type: "string", default: "40" },
    rate: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    data: { type: "string" },
    "pause-s": { type: "string", default: "4" },
    faults: { type: "string" },
    market: { type: "boolean", default: false },
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
const names = (values.faults?.split(",") ?? faultNames) as readonly FaultName[];
const unknown = names.filter((name) => !faultNames.includes(name));
if (unknown.length > 0) console.error(`--faults has ${unknown.join(", ")}; there are ${faultNames.join(", ")}\n`);
const numbersFit = [minutes, sensors, rate, seed, pauseS].every((value) => value >= 0) && minutes > 0;
if (values.help || !numbersFit || unknown.length > 0) {
  console.error(USAGE);
  process.exit(values.help ? 0 : 2);
}

// The platform has a session of its own, which a terminal's Ctrl-C does not reach.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const home = join(import.meta.dirname, "..", "..", ".millrace", `chaos-${process.pid}`);
mkdirSync(home, { recursive: true });
console.log(`chaos with seed ${seed}: ${sensors} sensors for ${minutes} minutes; ${names.join(", ")}`);
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
const random = seededRandom(seed);
const market = [
  ...["--symbols", "20", "--rate", "50", "--seed", String(seed), "--duration", String(minutes * 60)],
  ...["--faults", "duplicate=0.02,late=0.02,corrupt=0.002,cancelled=0.01,conflict=0.002"],
];
const {
  faults,
  accounts,
  replay,
  market: trades,
  ok,
} = await chaos({
  home,
  simulator,
  ...(values.market ? { market } : {}),
  faults: faultRounds(names, random, values.market),
  withBrokers: names.includes("brokers"),
  random,
  pauseMs: pauseS * 1_000,
  onProgress: (message) => console.log(`  ${message}`),
});
const recoveries = faults.map(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b);
const perFault = names.flatMap((name) => {
  const times = faults.filter((fault) => fault.name === name).length;
  return times > 0 ? [`${times} ${name}`] : [];
});
const total = (of: (fault: (typeof faults)[number]) => number): number =>
  faults.reduce((sum, fault) => sum + of(fault), 0);
const restarts = total((fault) => Object.values(fault.restarts).reduce((sum, count) => sum + count, 0));
const problems = faults.flatMap((fault) => fault.problems.map((problem) => `${fault.name}: ${problem}`));
console.log(`
faults        ${faults.length}: ${perFault.join(", ")}
recoveries    until all was processed: median ${recoveries[Math.floor(recoveries.length / 2)] ?? "–"} ms, longest ${
  recoveries.at(-1) ?? "–"
} ms
tasks         ${total(({ lives }) => lives)} lives, ${restarts} restarts, ${total(({ fenced }) => fenced)} fenced
problems      ${problems.length}
readings      ${accounts.published} published, ${accounts.accounted} accounted for
lost          ${accounts.lost}
duplicated    ${accounts.duplicated}
sessions      ${accounts.sessionsExpected} expected, ${accounts.sessionsWrong.length} wrong
dead letters  ${accounts.deadLetters} of ${accounts.deadLettersExpected} corrupt messages
replay        ${replay.compared} records compared, ${replay.differences.length} differences`);
if (trades)
  console.log(`trades        ${trades.accounts.acknowledged} acknowledged, ${trades.accounts.accounted} accounted for
lost          ${trades.accounts.lost}
duplicated    ${trades.accounts.duplicated}
dead letters  ${trades.accounts.deadLetters} of ${trades.accounts.deadLettersExpected} corrupt and conflicting trades
replay        ${trades.replay.compared} records compared, ${trades.replay.differences.length} differences`);
for (const problem of [
  ...problems,
  ...accounts.sessionsWrong,
  ...replay.differences,
  ...(trades?.replay.differences ?? []),
].slice(0, 20))
  console.log(`  ${problem}`);
if (ok) rmSync(home, { recursive: true, force: true });
else console.log(`seed ${seed}; the data are kept in ${home}`);
process.exit(ok ? 0 : 1);
