/** `npm start`: all of Millrace on this machine, until Ctrl-C. */
import { join } from "node:path";
import { LOOPBACK } from "../config/local.ts";
import { readSettings } from "../config/settings.ts";
import { MillraceError } from "../domain/errors.ts";
import { eventBusName } from "../domain/market.ts";
import { existingWhere } from "../domain/pipelines.ts";
import { topics } from "../domain/topics.ts";
import { letterSender } from "../ops/letters.ts";
import { LogReader } from "../ops/log-reader.ts";
import { Models } from "../ops/models.ts";
import { modelFiles } from "../processor/adapters/model-files.ts";
import { ModelRegistry } from "../processor/commands/model/registry.ts";
import { runModelCommand } from "../processor/commands/model/run.ts";
import { readAlarmProfile } from "./alarm-profile.ts";
import { AlarmBoard } from "./alarms.ts";
import { Graphs } from "./graphs.ts";
import { LatencyProbe } from "./latency.ts";
import { opsAnswers } from "./ops/answers.ts";
import { Components } from "./ops/components.ts";
import { parseStartOptions, startHelp, type StartOptions } from "./options.ts";
import { Platform } from "./platform.ts";
import { LOCAL_ENVIRONMENT, modelStore, pipelinesOf } from "./programs.ts";
import { startStatusServer } from "./status-server.ts";
import { describeAlarm, statusLine } from "./status.ts";
import { Stories } from "./stories.ts";
import { Terminal } from "./terminal.ts";

const STATUS_INTERVAL_MS = 1_000;
/** One Ctrl-C arrives twice, from the terminal and through npm. A signal after this time is a second Ctrl-C. */
const SECOND_INTERRUPT_AFTER_MS = 1_000;

const terminal = new Terminal(process.stdout);
// A reader such as `| head` may close the pipe. The platform continues without one.
process.stdout.on("error", () => undefined);

let options: StartOptions;
try {
  const parsed = parseStartOptions(process.argv.slice(2), join(import.meta.dirname, "..", ".millrace"));
  if (parsed === "help") {
    console.log(startHelp);
    process.exit(0);
  }
  options = parsed;
} catch (error) {
  console.error(`millrace: ${(error as Error).message}`);
  process.exit(2);
}

const platform = new Platform(options, process.env, {
  onProgress: (message) => terminal.progress(message),
  onEvent: (message) => terminal.print(message),
});
const probe = new LatencyProbe(options.ports.api);
let stoppingSince: number | undefined;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (stoppingSince === undefined) void stop(0);
    else if (performance.now() - stoppingSince > SECOND_INTERRUPT_AFTER_MS) platform.killAll();
  });
}

try {
  await platform.start();
  if (stoppingSince === undefined) await report();
} catch (error) {
  if (stoppingSince === undefined) {
    terminal.keep();
    console.error(
      `millrace: ${error instanceof MillraceError ? error.message : String((error as Error)?.stack ?? error)}`,
    );
    await stop(1);
  }
}

/** Prints the addresses, then a status line every second. */
async function report(): Promise<void> {
  terminal.keep();
  terminal.print(addresses());
  probe.start();
  const { alarms, periodFactor } = readAlarmProfile(options.alarmsFile);
  const board = new AlarmBoard(existingWhere(alarms, pipelinesOf(options)), now(), periodFactor);
  const graphs = new Graphs(pipelinesOf(options), now());
  const { kafkaBrokers } = platform.connections;
  const stories = Stories.ofLog(readSettings("dump", { ...process.env, KAFKA_BROKERS: kafkaBrokers }));
  const components = new Components(() => platform.status());
  const ops = operatorsApi(components, board);
  const gets = {
    "/alarms": () => ({ status: 200, body: board.status() }),
    "/graphs": () => ({ status: 200, body: graphs.status() }),
    "/trace": (query: URLSearchParams) => stories.answer(query.get("name") ?? ""),
    ...ops.gets,
  };
  await startStatusServer(options.ports.status, gets, ops.posts);
  while (stoppingSince === undefined) {
    const wait = new Promise((resolve) => setTimeout(resolve, STATUS_INTERVAL_MS));
    const { metrics, health, snapshots } = await platform.metrics();
    if (stoppingSince !== undefined) return;
    graphs.update(snapshots, now());
    for (const alarm of board.update(snapshots, now())) terminal.print(describeAlarm(alarm));
    components.update(snapshots, health, now());
    const states = new Map([...health].map(([name, { status }]) => [name, status]));
    terminal.status(statusLine(metrics, probe.percentiles(), platform.status(), states, board.status()));
    if (!platform.isOwned()) {
      terminal.print("npm has ended: stopping");
      return void stop(1);
    }
    await wait;
  }
}

function operatorsApi(components: Components, board: AlarmBoard): ReturnType<typeof opsAnswers> {
  const settings = readSettings("processor", { ...process.env, ...platform.processorSettings("sensor") });
  const log = new LogReader(settings, now);
  const store = modelFiles(modelStore(options.home), settings.region);
  const registry = new ModelRegistry(store);
  const models = new Models({
    registry,
    newestScores: (limit) => log.values(topics.inference.name, limit),
    run: (command, changeId) => runModelCommand(command, registry, store.place, settings, changeId),
  });
  return opsAnswers({
    log,
    models,
    sendLetter: letterSender(settings),
    components: () => components.overview(board.status()),
  });
}

/** Epoch time that never goes back. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function stop(code: number): Promise<void> {
  stoppingSince = performance.now();
  probe.stop();
  terminal.keep();
  const hadStarted = platform.status().size > 0;
  await platform.stop();
  if (hadStarted) terminal.print("everything is stopped");
  process.exit(code);
}

function addresses(): string {
  const { ports, home, simulator, simulatorArguments, market, marketArguments } = options;
  const { kafkaBrokers, mqttUrl, mongodbUri, dynamodbEndpoint } = platform.connections;
  const api = `http://${LOOPBACK}:${ports.api}`;
  const simulated = simulatorArguments.join(" ") || "20 sensors at 100 Hz";
  const traded = marketArguments.join(" ") || "20 symbols, 50 trades a second";
  return [
    "Millrace is running",
    `  dashboard   http://${LOOPBACK}:${ports.dashboard}`,
    `  API         ${api} (documentation: ${api}/docs)`,
    `  WebSocket   ws://${LOOPBACK}:${ports.api}/?sensorId=…`,
    `  MQTT        ${mqttUrl} (publish to imu/{sensorId})`,
    ...(market
      ? [`  EventBridge http://${LOOPBACK}:${ports.events} (put trades on the bus ${eventBusName(LOCAL_ENVIRONMENT)})`]
      : []),
    `  Kafka       ${kafkaBrokers}`,
    `  stores      ${mongodbUri}  ${dynamodbEndpoint}`,
    `  lake        ${join(home, "data", "lake")}`,
    `  logs        ${join(home, "logs")}`,
    `  simulator   ${simulator ? simulated : "none: publish your own readings"}`,
    ...(market ? [`  market      ${simulator ? traded : "none: put your own trades"}`] : []),
    "Ctrl-C stops all of it.",
  ].join("\n");
}
