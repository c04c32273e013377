/** `npm run cost`: what an environment would cost a month, from its own templates. */
import { choice, flag, parseCommandLine, type Option } from "../adapters/command-line.ts";
import { runCommand } from "../adapters/run-command.ts";
import { environment, environmentNames } from "../config/environments/index.ts";
import { assumptions } from "../lib/cost/assumptions.ts";
import { estimate, totalDollars } from "../lib/cost/estimate.ts";
import { inventoryOf } from "../lib/cost/inventory.ts";
import { PRICES_AS_OF, PRICES_REGION } from "../lib/cost/prices.ts";
import { comparisonReport, costReport, type Estimated } from "../lib/cost/report.ts";
import { synthesisedResources } from "../lib/cost/synthesised.ts";
import type { Workload } from "../lib/cost/workload.ts";

const USAGE = `npm run cost -- --env ${environmentNames.join("|")} --sensors N --rate HZ [--batch MS]
  [--format json|packed] [--viewers N] [--requests PER_SECOND] [--users N] [--trades PER_SECOND]
  [--symbols N] [--with ${environmentNames.join("|")}] [--json]
Estimates an environment's monthly bill in US dollars; --with compares it with another's under the same load.
--rate is readings a second and sensor; --batch is the milliseconds in a message, 100 to 1,000 (default 1,000).
--format is the form of the messages (default packed); --viewers is open WebSocket connections (default 10);
--requests is REST requests a second (default 1); --users is people who sign in in a month (default 10).
--trades is trades a second (default 0, and 0 where the market does not run); --symbols is how many are traded in each
minute (default 100). --json prints the estimate for a program.`;

const amount: Option<number> = {
  isFlag: false,
  read: (received) => (/^\d+(\.\d+)?$/.test(received) ? Number(received) : undefined),
  expected: "a number of at least 0 is expected",
};
const messageLength: Option<number> = {
  isFlag: false,
  read: (received) => {
    const value = amount.read(received);
    return value !== undefined && value >= 100 && value <= 1_000 ? value : undefined;
  },
  expected: "a message has 100 to 1,000 ms of readings",
};

await runCommand((args) => {
  const { env, other, load, json } = readArguments(args);
  const one = estimated(env, load);
  const compared = other === undefined ? undefined : estimated(other, load);
  const asData = {
    ...withTotal(one),
    load,
    asOf: PRICES_AS_OF,
    region: PRICES_REGION,
    assumptions,
    ...(compared && { with: withTotal(compared) }),
  };
  const report = (): string => (compared ? comparisonReport(one, compared, load) : costReport(one, load));
  process.stdout.write(json ? `${JSON.stringify(asData, null, 2)}\n` : report());
});

function estimated(name: string, load: Workload): Estimated {
  const config = environment(name);
  return { environment: name, lines: estimate(inventoryOf(synthesisedResources(config), config), config, load) };
}

function withTotal({ environment: name, lines }: Estimated): Estimated & { readonly dollars: number } {
  return { environment: name, dollars: totalDollars(lines), lines };
}

function readArguments(args: readonly string[]): {
  env: string;
  other: string | undefined;
  load: Workload;
  json: boolean;
} {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: {
      env: choice(environmentNames),
      with: choice(environmentNames),
      sensors: amount,
      rate: amount,
      batch: messageLength,
      format: choice(["json", "packed"]),
      viewers: amount,
      requests: amount,
      users: amount,
      trades: amount,
      symbols: amount,
      json: flag,
    },
    required: ["env", "sensors", "rate"],
  });
  const load: Workload = {
    sensors: values.sensors,
    rateHz: values.rate,
    batchMs: values.batch ?? 1_000,
    format: values.format ?? "packed",
    viewers: values.viewers ?? 10,
    requestsPerSecond: values.requests ?? 1,
    users: values.users ?? 10,
    trades: values.trades ?? 0,
    symbols: values.symbols ?? 100,
  };
  return { env: values.env, other: values.with, load, json: values.json ?? false };
}
