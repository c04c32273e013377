import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { faults, type FaultName } from "./faults.ts";
import { bridgeLoop } from "./loop.ts";

const names = Object.keys(faults) as FaultName[];
const USAGE = `node test/chaos/bridge/main.ts [--faults 300] [--rate 500] [--seed N] [--only ${names.join(",")}]
Kills the bridge and other members of its group while messages are published, and counts what the MQTT broker has
acknowledged against the log in Kafka. Exit code 1 when anything was lost.`;

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "300" },
    rate: { type: "string", default: "500" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const [count, rate, seed] = [values.faults, values.rate, values.seed].map(Number) as [number, number, number];
const only = (values.only?.split(",") ?? names) as FaultName[];
if (values.help || ![count, rate, seed].every((value) => value >= 0) || !only.every((name) => name in faults)) {
  console.error(USAGE);
  process.exit(values.help ? 0 : 2);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const home = join(import.meta.dirname, "..", "..", "..", ".millrace", `chaos-bridge-${process.pid}`);
mkdirSync(home, { recursive: true });
console.log(`bridge loop with seed ${seed}: ${count} faults at ${rate} messages a second`);
const result = await bridgeLoop({
  home,
  faults: count,
  messagesPerSecond: rate,
  seed,
  only,
  onProgress: (message) => console.log(`  ${message}`),
});
const total = (of: "late" | "lost"): string => {
  const causes = result.missing.filter((each) => each[of] > 0).map((each) => `${each[of]} after ${each.fault}`);
  return [result.missing.reduce((sum, each) => sum + each[of], 0), ...causes].join(", ");
};
const lost = result.missing.reduce((sum, each) => sum + each.lost, 0);
const counts = Object.entries(result.faults).map(([name, times]) => `${times} ${name}`);
console.log(`
faults        ${counts.join(", ")}
acknowledged  ${result.acknowledged}
copies        ${result.copies}
late          ${total("late")}
lost          ${total("lost")}`);
if (lost === 0) rmSync(home, { recursive: true, force: true });
else console.log(`the data are kept in ${home}`);
process.exit(lost === 0 ? 0 : 1);
