import type { AlarmSpec, Figure } from "./alarm-spec.ts";
import type { DeadLetterCode } from "./errors.ts";
import { pipelineNames, type PipelineName } from "./pipelines.ts";
import { MINUTE, SECOND } from "./time.ts";

type Spec = Omit<AlarmSpec, "name" | "runbook">;

/** An alarm whose runbook has its name. */
function one(name: string, spec: Spec): AlarmSpec {
  return { name, runbook: name, ...spec };
}

/** An alarm `<name>-<pipeline>` for each pipeline, with one runbook. */
function ofEach(name: string, spec: (pipeline: PipelineName) => Spec, runbook = name): AlarmSpec[] {
  return pipelineNames.map((pipeline) => ({ name: `${name}-${pipeline}`, runbook, pipeline, ...spec(pipeline) }));
}

const minute = { periodMs: MINUTE, periods: 1, missing: "fine" } as const;
const fiveMinutes = { ...minute, periodMs: 5 * MINUTE } as const;
/** Where a single event is enough. */
const any = { comparison: ">", threshold: 0 } as const;

/** Dead letters of some codes, the bridge's and the processors'. */
export function letters(...codes: readonly DeadLetterCode[]): Figure {
  return {
    of: "growth",
    counters: codes.flatMap(
      (code) => [`bridge.dead-letters{code="${code}"}`, `processor.dead-letters{code="${code}"}`] as const,
    ),
  };
}

/** Alarms of an outage of the whole stream. Each comes on no later than those that it explains. */
export const outages = ["brokers-gone", "program-down"] as const;
/** How long after such an outage the alarms that it explains stay quiet: what waited is worked off by then. */
export const SETTLE_MS = 5 * MINUTE;

export function isOutage(alarm: string): boolean {
  return (outages as readonly string[]).includes(alarm);
}

const outagesOf = (pipeline: PipelineName): string[] => [...outages, `partition-stopped-${pipeline}`];

const inputsAndPartitions: readonly AlarmSpec[] = [
  one("brokers-gone", {
    severity: "CRITICAL",
    means: "Kafka has acknowledged nothing that the bridge sends, not even ticks, for half a minute",
    affects: "Everybody: readings wait in the MQTT broker, nothing is processed and nothing is shown",
    figure: { of: "gauge", gauge: "bridge.kafka-silence", statistic: "Maximum" },
    comparison: ">",
    threshold: 30 * SECOND,
    unit: "ms",
    ...minute,
  }),
  ...ofEach("no-input", (pipeline) => ({
    severity: "CRITICAL",
    means: `The ${pipeline} pipeline's input takes no record, not even the bridge's ticks`,
    affects: "Everybody who waits for new results; time does not pass in the stream, so that no window fires",
    figure: { of: "growth", counters: ["processor.records"] },
    service: "input-records",
    comparison: "<=",
    threshold: 0,
    unit: "records",
    ...minute,
    periods: 3,
    missing: "breaching",
    suppressedBy: outagesOf(pipeline),
  })),
  ...ofEach("partition-stopped", (pipeline) => ({
    severity: "CRITICAL",
    means: `A partition of the ${pipeline} pipeline has stopped with a named error, or can't commit`,
    affects: "Those whose sensors or symbols are in that partition: a share of all, and all of their results",
    figure: { of: "gauge", gauge: "processor.stopped-partitions", statistic: "Maximum" },
    service: "stopped-partition-lines",
    ...any,
    unit: "partitions",
    ...minute,
  })),
  ...ofEach("lag", (pipeline) => ({
    severity: "HIGH",
    means: `The ${pipeline} pipeline has more than 50,000 records before it`,
    affects: "Everybody who reads results: they are late, and become later",
    figure: { of: "gauge", gauge: "processor.lag", statistic: "Minimum" },
    service: "offset-lag",
    comparison: ">",
    threshold: 50_000,
    unit: "records",
    ...minute,
    periods: 3,
    suppressedBy: outagesOf(pipeline),
  })),
  ...ofEach(
    "behind",
    (pipeline) => ({
      severity: "HIGH",
      means: `The ${pipeline} pipeline is a minute behind the newest record, or its group is not stable`,
      affects: "Everybody who reads results: they are late",
      service: "time-lag",
      comparison: ">",
      threshold: 60,
      unit: "s",
      ...minute,
      periods: 5,
      missing: "breaching",
      suppressedBy: [...outagesOf(pipeline), `lag-${pipeline}`],
    }),
    "lag",
  ),
];

const programs: readonly AlarmSpec[] = [
  one("checkpoint-failed", {
    severity: "CRITICAL",
    means: "A snapshot of task state could not be written",
    affects: "Nobody yet: a task that begins again has more to catch up, and after a week without one it can't",
    figure: { of: "growth", counters: ["processor.snapshot-failures"] },
    ...any,
    unit: "snapshots",
    ...fiveMinutes,
  }),
  one("checkpoint-slow", {
    severity: "MEDIUM",
    means: "One in a hundred snapshots takes longer than the time between two",
    affects: "Nobody yet: a task that begins again has more to catch up",
    figure: { of: "p99", timing: "processor.snapshot-duration" },
    comparison: ">",
    threshold: 10 * SECOND,
    unit: "ms",
    ...fiveMinutes,
    periods: 2,
  }),
  one("memory", {
    severity: "MEDIUM",
    means: "A program has used more than 85 % of its heap for five minutes",
    affects: "Nobody yet: the program ends when its heap is full, and is started again",
    // The fullest of several tasks that report under one name.
    figure: { of: "gauge", gauge: "program.heap-share", statistic: "Maximum" },
    comparison: ">",
    threshold: 85,
    unit: "%",
    ...minute,
    periods: 5,
  }),
  one("program-down", {
    severity: "HIGH",
    means: "A program, or a server that it needs, has not run for three minutes though it is restarted",
    affects: "Depends on the program: without bridge or processor nothing is processed, without live no page moves",
    figure: { of: "gauge", gauge: "local.not-running", statistic: "Minimum" },
    service: "services-down",
    ...any,
    unit: "programs",
    ...minute,
    periods: 3,
    missing: "breaching",
  }),
  one("program-restarted", {
    severity: "MEDIUM",
    means: "A program or a server has ended by itself and was started again",
    affects: "Nobody for longer than the restart takes; results of that time come late",
    figure: { of: "growth", counters: ["local.restarts"] },
    ...any,
    unit: "restarts",
    ...fiveMinutes,
    suppressedBy: ["program-down"],
  }),
  one("model-refused", {
    severity: "MEDIUM",
    means: "A model was promoted that is not in the store, or does not fit its manifest",
    affects: "Whoever promoted it: the models before it continue to score",
    figure: { of: "growth", counters: ["processor.models-refused"] },
    ...any,
    unit: "models",
    ...fiveMinutes,
  }),
  one("model-drift", {
    severity: "MEDIUM",
    means: "What the models are fed is far from what they were trained on",
    affects: "Who relies on labels: they are guesses; everything else is right",
    figure: { of: "gauge", gauge: "processor.input-drift", statistic: "Maximum" },
    comparison: ">",
    threshold: 400,
    unit: "%",
    ...minute,
    periods: 5,
  }),
];

const records: readonly AlarmSpec[] = [
  one("dead-letter-flood", {
    severity: "CRITICAL",
    means: "More than 100 records a minute are dead-lettered",
    affects: "Those whose devices or producers send them: their data is in no result until it is sent in again",
    figure: { of: "growth", counters: ["processor.dead-letters", "bridge.dead-letters"] },
    service: "dead-letters",
    comparison: ">",
    threshold: 100,
    unit: "records",
    ...minute,
  }),
  one("step-failed", {
    severity: "CRITICAL",
    means: "Millrace's own code failed on a record, or when a sensor's windows fired",
    affects:
      "The sender of that record, or the sensor whose open windows and session were dropped; all others go through",
    figure: letters("processing-failed", "state-failed"),
    ...any,
    unit: "records",
    ...fiveMinutes,
  }),
  one("undecodable-records", {
    severity: "MEDIUM",
    means: "Records were dead-lettered because they do not follow the contract",
    affects: "Those whose devices or producers sent them",
    figure: letters(
      "unknown-content-type",
      "invalid-json",
      "invalid-packed",
      "invalid-message",
      "out-of-range",
      "too-many-samples",
      "payload-too-large",
    ),
    ...any,
    unit: "records",
    ...fiveMinutes,
    suppressedBy: ["dead-letter-flood"],
  }),
  one("clock-wrong", {
    severity: "MEDIUM",
    means: "Records were dead-lettered because their clock is ahead, or years behind",
    affects: "Those whose devices have that clock: nothing that they send counts until it is right",
    figure: letters("event-from-the-future", "event-too-old"),
    ...any,
    unit: "records",
    ...fiveMinutes,
    suppressedBy: ["dead-letter-flood"],
  }),
  one("dead-letters", {
    severity: "LOW",
    means: "Records were dead-lettered for another reason than those that have an alarm of their own",
    affects: "Those whose devices or producers sent them",
    figure: letters(
      "invalid-sensor-id",
      "invalid-symbol",
      "refused-by-kafka",
      "sequence-unknown",
      "sequence-reused",
      "identity-reused",
      "output-too-large",
    ),
    ...any,
    unit: "records",
    ...fiveMinutes,
    suppressedBy: ["dead-letter-flood"],
  }),
  one("messages-dropped", {
    severity: "CRITICAL",
    means: "The bridge dropped messages that could not even be dead-lettered",
    affects: "Those whose devices sent them: the messages are lost, and the log has their digests",
    figure: { of: "growth", counters: ["bridge.dropped"] },
    ...any,
    unit: "messages",
    ...fiveMinutes,
  }),
  ...ofEach("late", (pipeline) => ({
    severity: "LOW",
    means: `What the ${pipeline} pipeline read has missed its windows for a quarter of an hour`,
    affects: "Those whose clock is slow or who were offline: the values are in the late topic and in no window",
    figure: { of: "growth", counters: ["processor.late-readings"] },
    service: "late-records",
    comparison: ">",
    threshold: 60,
    unit: "a minute",
    ...minute,
    periods: 15,
  })),
  one("duplicates", {
    severity: "LOW",
    means: "More than one in twenty messages has been a copy for a quarter of an hour",
    affects: "Nobody's results; the bill, and the devices that send everything twice",
    figure: { of: "share", part: "processor.duplicates", whole: "processor.records" },
    comparison: ">",
    threshold: 5,
    unit: "%",
    ...fiveMinutes,
    periods: 3,
  }),
];

/** What a reader of the outputs sees. */
const outputs: readonly AlarmSpec[] = [
  ...ofEach("latency", (pipeline) => ({
    severity: "HIGH",
    means: `One in a hundred results of the ${pipeline} pipeline is committed more than 5 s after its record came in`,
    affects: "Everybody who watches results live",
    figure: { of: "p99", timing: `audit-output.${pipeline}-ingest-to-output` },
    comparison: ">",
    threshold: 5 * SECOND,
    unit: "ms",
    ...minute,
    periods: 3,
    suppressedBy: [...outagesOf(pipeline), `lag-${pipeline}`],
  })),
  ...ofEach("completeness", (pipeline) => ({
    severity: "HIGH",
    means: `Less than 95 % of what is in the ${pipeline} pipeline's windows was there when they first fired`,
    affects: "Those who act on a window's first result: it was wrong, and was corrected later",
    figure: {
      of: "share",
      part: `audit-output.${pipeline}-first-readings`,
      whole: `audit-output.${pipeline}-readings`,
    },
    comparison: "<",
    threshold: 95,
    unit: "%",
    ...fiveMinutes,
    suppressedBy: outagesOf(pipeline),
  })),
  ...ofEach("missing-windows", (pipeline) => ({
    severity: "HIGH",
    means: `Windows of the ${pipeline} pipeline never came, though those before and after them did`,
    affects: "Those who read windows: there is a hole in them",
    figure: { of: "growth", counters: [`audit-output.${pipeline}-missing-windows`] },
    ...any,
    unit: "windows",
    ...fiveMinutes,
  })),
  one("repeated-ids", {
    severity: "HIGH",
    means: "Outputs have come twice for a quarter of an hour",
    affects: "Those who read outputs without dropping the ids that they have seen",
    figure: { of: "growth", counters: ["audit-output.repeated-ids"] },
    ...any,
    unit: "records",
    ...fiveMinutes,
    periods: 3,
  }),
  one("unreadable-outputs", {
    severity: "HIGH",
    means: "Outputs do not follow their contract",
    affects: "All who read them: stores, features and lake give them up",
    figure: { of: "growth", counters: ["audit-output.unreadable"] },
    ...any,
    unit: "records",
    ...fiveMinutes,
  }),
];

/** Past Kafka: functions, stores, lake, APIs. */
const consumers: readonly AlarmSpec[] = [
  one("lake-delivery-failed", {
    severity: "CRITICAL",
    means: "Rows could not be written to the lake's bucket",
    affects: "Analysts: the newest rows are missing, and are lost when the delivery stream gives up after a day",
    figure: { of: "growth", counters: ["firehose.failed-deliveries"] },
    service: "lake-failures",
    ...any,
    unit: "deliveries",
    ...fiveMinutes,
  }),
  one("lake-behind", {
    severity: "MEDIUM",
    means: "The oldest row that is not in the lake is older than three buffers of its delivery stream",
    affects: "Analysts: the newest rows are missing",
    service: "lake-freshness",
    comparison: ">",
    threshold: 3,
    unit: "buffers",
    ...fiveMinutes,
    periods: 3,
  }),
  one("lake-not-compacted", {
    severity: "LOW",
    means: "The lake's small files have not been joined for three hours, as the hourly run fails or does not begin",
    affects: "Analysts: each query reads more files, takes longer and costs more; no row is missing",
    service: "lake-compactions",
    comparison: "<",
    threshold: 1,
    unit: "runs",
    ...minute,
    periodMs: 60 * MINUTE,
    periods: 3,
    missing: "breaching",
  }),
  one("records-given-up", {
    severity: "HIGH",
    means: "A function gave records up after all of its retries",
    affects: "Who reads that store, the features or the lake: what was given up is missing until it is sent again",
    figure: { of: "growth", counters: ["event-source.discarded", "events.discarded"] },
    service: "failure-queue",
    ...any,
    unit: "records",
    ...minute,
  }),
  one("slow-consumer", {
    severity: "MEDIUM",
    means: "A function that reads results is more than 50,000 records behind",
    affects: "Who reads what it writes: sessions and windows over REST, features or the lake are old",
    figure: { of: "gauge", gauge: "event-source.lag", statistic: "Minimum" },
    service: "function-offset-lag",
    comparison: ">",
    threshold: 50_000,
    unit: "records",
    ...minute,
    periods: 3,
    suppressedBy: outages,
  }),
  one("slow-clients", {
    severity: "LOW",
    means: "WebSocket clients have read too slowly for five minutes, and lose samples or their connection",
    affects: "The people at those pages; windows and sessions still reach them",
    figure: { of: "growth", counters: ["live.dropped-samples", "live.dropped-trades", "live.closed-connections"] },
    ...any,
    unit: "samples and connections",
    ...minute,
    periods: 5,
  }),
  one("features-wrong", {
    severity: "MEDIUM",
    means: "The check of the feature store failed: its log says what differs",
    affects: "Models that read features",
    service: "feature-check-errors",
    ...any,
    unit: "checks",
    ...fiveMinutes,
    periods: 2,
  }),
  one("devices-refused", {
    severity: "HIGH",
    means: "The pre-provisioning hook fails: devices can't register",
    affects: "Who installs new devices; those that are registered are not touched",
    service: "device-admission-errors",
    ...any,
    unit: "calls",
    ...fiveMinutes,
  }),
  one("rest-errors", {
    severity: "HIGH",
    means: "The REST API answers with server errors",
    affects: "Clients of the REST API and the page",
    service: "rest-errors",
    comparison: ">",
    threshold: 5,
    unit: "answers",
    ...fiveMinutes,
    periods: 2,
  }),
  one("rest-slow", {
    severity: "MEDIUM",
    means: "One in a hundred REST answers takes more than two seconds",
    affects: "Clients of the REST API and the page",
    service: "rest-latency",
    comparison: ">",
    threshold: 2 * SECOND,
    unit: "ms",
    ...fiveMinutes,
    periods: 3,
  }),
];

const trades: readonly AlarmSpec[] = [
  one("trades-undelivered", {
    pipeline: "market",
    severity: "HIGH",
    means: "The rule could not hand trades to their queue",
    affects: "Who trades: those events are in the failure queue, or lost",
    service: "undelivered-trades",
    ...any,
    unit: "events",
    ...minute,
  }),
  one("trades-waiting", {
    pipeline: "market",
    severity: "MEDIUM",
    means: "Trades have waited for Kafka for more than a minute",
    affects: "Who reads bars, positions and alerts: they are late",
    service: "waiting-trades",
    comparison: ">",
    threshold: 60,
    unit: "s",
    ...minute,
    periods: 5,
    suppressedBy: outages,
  }),
];

/** The alarms, in the order in which somebody should look at them. CDK and `npm start` make theirs from this table. */
export const alarms: readonly AlarmSpec[] = [
  ...inputsAndPartitions,
  ...programs,
  ...records,
  ...outputs,
  ...consumers,
  ...trades,
];
