/** `npm run on-aws`: an operator's command in the VPC of a deployed environment. */
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { ECSClient } from "@aws-sdk/client-ecs";
import { print, runCommand } from "../adapters/run-command.ts";
import { environment, environmentNames } from "../config/environments/index.ts";
import { parseOnAwsArguments } from "../lib/on-aws/arguments.ts";
import { runOnAws } from "../lib/on-aws/run.ts";

await runCommand(async (received) => {
  const { env, pipeline, limitMs, command, args } = parseOnAwsArguments(received, environmentNames);
  const config = environment(env);
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());
  process.exitCode = await runOnAws({
    config,
    pipeline,
    command,
    args,
    limitMs,
    ecs: new ECSClient({ region: config.region }),
    logs: new CloudWatchLogsClient({ region: config.region }),
    print,
    say: (sentence) => process.stderr.write(`${sentence}\n`),
    signal: interrupted.signal,
  });
});
