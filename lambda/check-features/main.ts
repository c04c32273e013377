// `npm run check-features`: the check of the feature store that runs on a schedule on AWS, against the local endpoint.
import { flag, parseCommandLine, whole } from "../../adapters/command-line.ts";
import { runCommand } from "../../adapters/run-command.ts";
import { localPorts, LOOPBACK } from "../../config/local.ts";
import { writeSettings } from "../../config/settings.ts";

const USAGE = `npm run check-features -- [--reads N] [--market] [--port-features N]
Looks in the online and the offline store of a running npm start for the newest records, and times reads.
  --reads N          reads that are timed (200)
  --market           bars, too, not only windows of sensors
  --port-features N  port of the local Feature Store endpoint (${localPorts.features})
The exit code is 1 when something is missing.`;

await runCommand(async (args) => {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { reads: whole(1, 1_000), market: flag, "port-features": whole(1, 65_535) },
  });
  const endpoint = `http://${LOOPBACK}:${values["port-features"] ?? localPorts.features}`;
  // The function reads its settings when it is loaded, as on AWS.
  Object.assign(process.env, {
    LOG_LEVEL: "error",
    ...writeSettings("checkFeatures", {
      featureStoreEndpoint: endpoint,
      offlineStoreEndpoint: endpoint,
      pipelines: values.market ? ["sensor", "market"] : ["sensor"],
    }),
  });
  const { handler } = await import("./handler.ts");
  try {
    const { text } = await handler({ expectsRecords: true, reads: values.reads ?? 200 });
    process.stdout.write(`${text}\n`);
  } catch (error) {
    process.stdout.write(`FAILED ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
});
