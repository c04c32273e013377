import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "../../simulator/random.ts";
import { chaos } from "./run.ts";

const USAGE = `npm run chaos -- [--minutes 5] [--sensors 40] [--rate 100] [--seed N] [--data DIR] [--pause-s 4]
Runs the whole platform under load, kills its programs and servers at random by kill -9, then accounts for every reading
and replays the log. Exit code 1 when anything was lost or duplicated, or when the replay differs.`;

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
if (values.help || ![minutes, sensors, rate, seed, pauseS].every((value) => value >= 0) || minutes === 0) {
  console.error(USAGE);
  process.exit(values.help ? 0 : 2);
}

function* victims(): Generator<string> {
  for (const random = seededRandom(seed); ;) yield PROCESSES[Math.floor(random() * PROCESSES.length)]!;
}

const home = join(import.meta.dirname, "..", "..", ".millrace", `chaos-${process.pid}`);
mkdirSync(home, { recursive: true });
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
const { faults, accounts, replay, ok } = await chaos({
  home,
  simulator,
  victims: victims(),
  pauseMs: pauseS * 1_000,
  onProgress: (message) => console.log(`  ${message}`),
});
const recoveries = faults.map(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b);
const longest = recoveries.at(-1) ?? "–";
const median = recoveries[Math.floor(recoveries.length / 2)] ?? "–";
console.log(`
faults        ${faults.length} kills of ${new Set(faults.map(({ process: name }) => name)).size} processes
recoveries    ${recoveries.length}; until the successor ran: median ${median} ms, longest ${longest} ms
readings      ${accounts.published} published, ${accounts.accounted} accounted for
lost          ${accounts.lost}
duplicated    ${accounts.duplicated}
sessions      ${accounts.sessionsExpected} expected, ${accounts.sessionsWrong.length} wrong
dead letters  ${accounts.deadLetters} of ${accounts.deadLettersExpected} corrupt messages
replay        ${replay.compared} records compared, ${replay.differences.length} differences`);
for (const problem of [...accounts.sessionsWrong, ...replay.differences].slice(0, 20)) console.log(`  ${problem}`);
if (ok) rmSync(home, { recursive: true, force: true });
else console.log(`seed ${seed}; the data are kept in ${home}`);
process.exit(ok ? 0 : 1);
