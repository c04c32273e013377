// `npm run observability -- --out DIR`: files for Prometheus and Grafana.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import { flag, parseCommandLine, text, whole } from "../../adapters/command-line.ts";
import { runCommand } from "../../adapters/run-command.ts";
import { localPorts, LOOPBACK } from "../../config/local.ts";
import { MillraceError } from "../../domain/errors.ts";
import { pipelineNames } from "../../domain/pipelines.ts";
import { grafanaDashboard } from "./grafana.ts";
import { alertingRules } from "./rules.ts";
import { scrapeConfig } from "./scrape-config.ts";

const USAGE = `npm run observability -- --out DIR [--home DIR | --port-api PORT] [--market]
Writes prometheus.yml, rules.yml (the alarms) and grafana.json (the dashboards) into a folder.
  --home DIR       scrape each program of the npm start of this folder at its own port, as of now
  --port-api PORT  scrape all programs at the API of an npm start (${localPorts.api})
  --market         with the market's alarms and graphs, for npm start -- --market`;

await runCommand((args) => {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { out: text, home: text, "port-api": whole(1, 65_535), market: flag },
    required: ["out"],
    check: (given) =>
      given.home !== undefined && given["port-api"] !== undefined ? ["--home and --port-api exclude each other"] : [],
  });
  const ports = values.home === undefined ? [values["port-api"] ?? localPorts.api] : healthPorts(values.home);
  const running = values.market ? pipelineNames : (["sensor"] as const);
  const files = {
    "prometheus.yml": stringify(scrapeConfig(ports.map((port) => `${LOOPBACK}:${port}`))),
    "rules.yml": stringify(alertingRules(running), { lineWidth: 0 }),
    "grafana.json": `${JSON.stringify(grafanaDashboard(running), null, 2)}\n`,
  };
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(out, name), content);
  console.log(`${Object.keys(files).join(", ")} are in ${out}`);
});

/** @throws MillraceError `server-failed` when nothing runs from this folder */
function healthPorts(home: string): number[] {
  const file = join(resolve(home), "run.json");
  try {
    const { healthPorts: ports } = JSON.parse(readFileSync(file, "utf8")) as { healthPorts: Record<string, number> };
    return Object.values(ports);
  } catch (error) {
    const message = `${file} names no programs: is npm start up? (${(error as Error).message})`;
    throw new MillraceError("server-failed", message, { cause: error });
  }
}
