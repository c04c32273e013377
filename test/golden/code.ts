import { decodeColumns } from "../../domain/columns.ts";
import { changeRecord, controlVersions } from "../../domain/controls.ts";
import { logName, taskKey } from "../../domain/names.ts";
import { pipelines, type PipelineName } from "../../domain/pipelines.ts";
import { outputRecords, transformedHeader } from "../../domain/records.ts";
import { defaultSemantics } from "../../domain/semantics.ts";
import { contentTypes, headers as headerNames, topics } from "../../domain/topics.ts";
import manifest from "../../package.json" with { type: "json" };
import { claimKey, claimRecord, readClaim } from "../../processor/adapters/kafka-claim.ts";
import { decodeProgress, encodeProgress } from "../../processor/adapters/progress-record.ts";
import { systemRuntime } from "../../processor/adapters/runtime.ts";
import { decodeManifest, encodeManifest } from "../../processor/adapters/snapshot-manifest.ts";
import type { Progress } from "../../processor/engine/ports.ts";
import { entriesOf, EntryCollector, readSegments, SNAPSHOT_LAYOUT } from "../../processor/engine/segments.ts";
import { startingPoint } from "../../processor/engine/starting-point.ts";
import { marketPipeline } from "../../processor/pipelines/market/market-pipeline.ts";
import { sensorPipeline } from "../../processor/pipelines/sensor/sensor-pipeline.ts";
import { type MachineOrigin, type OutputRecord, stepAll } from "../../processor/runtime/machine.ts";
import { PartitionMachine } from "../../processor/runtime/partition-machine.ts";
import type { Pipeline } from "../../processor/runtime/pipeline.ts";
import { goldenModels, type Input, marketLog, sensorLog, type GoldenLog } from "./inputs.ts";

/** A record with its bytes as base64. */
export interface GoldenRecord {
  readonly topic: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A task's snapshot as it is stored, and the records of its log behind it. */
export interface GoldenTask {
  readonly pipeline: PipelineName;
  /** The value of its progress record. */
  readonly progress: string;
  readonly manifest: string;
  readonly segments: readonly string[];
  readonly after: readonly (GoldenRecord & { readonly offset: number; readonly timestamp: number })[];
}

/** What a version writes. */
export interface Golden {
  readonly version: string;
  /** What its tasks and commands write into topics. */
  readonly records: readonly GoldenRecord[];
  readonly tasks: readonly GoldenTask[];
}

/** What a golden says, as whoever reads it decodes it. */
export interface Decoded {
  readonly records: readonly DecodedRecord[];
  readonly tasks: readonly {
    readonly pipeline: string;
    readonly nextOffset: number;
    /** What the task gives for the records behind its snapshot. */
    readonly outputs: readonly DecodedRecord[];
  }[];
}

interface DecodedRecord {
  readonly topic: string;
  readonly key: string | null;
  readonly value: unknown;
}

const PARTITION = 0;
const OWNER = "owner";
const logs: Readonly<Record<PipelineName, GoldenLog>> = { sensor: sensorLog, market: marketLog };

function pipelineOf(name: PipelineName): Pipeline {
  return (name === "sensor" ? sensorPipeline(goldenModels) : marketPipeline()) as Pipeline;
}

function machineOf(name: PipelineName, restored: MachineOrigin["restored"]): Promise<PartitionMachine> {
  const pipeline = pipelineOf(name);
  return PartitionMachine.create(
    pipeline,
    { partition: PARTITION, restored, failures: new Map() },
    { log: logName(pipeline.source, 1), initial: defaultSemantics, override: {}, before: () => defaultSemantics },
  );
}

/** Writes what this version writes: outputs, progress, a snapshot of each pipeline, and what commands append. */
export async function write(): Promise<Golden> {
  const names = Object.keys(logs) as PipelineName[];
  const written = await Promise.all(names.map(writeTask));
  return {
    version: manifest.version,
    records: [...written.flatMap(({ records }) => records), ...commandRecords()],
    tasks: written.map(({ task }) => task),
  };
}

async function writeTask(name: PipelineName): Promise<{ records: GoldenRecord[]; task: GoldenTask }> {
  const { before, after } = logs[name];
  const machine = await machineOf(name, null);
  const outputs = await stepAll(
    machine,
    before.map((input, offset) => ({ ...bytesOf(input), offset })),
  );
  const { chain, nextOffset } = machine;
  const progress: Progress = {
    nextOffset,
    origin: 0,
    fingerprint: "golden",
    version: manifest.version,
    chain,
    controls: controlVersions,
    failed: [
      { offset: 1, key: null, message: "the decoder broke" },
      { offset: 2, key: "s1", message: "the window broke" },
    ],
  };
  const task = taskKey(name, logName(topics[pipelines[name].input].name, 1), PARTITION);
  const collector = new EntryCollector();
  machine.encodeChanges(1, collector.take);
  const segments = await collector.segments(systemRuntime);
  const bytes = segments.reduce((sum, segment) => sum + segment.length, 0);
  const { failed: _, ...covers } = progress;
  const manifestOf = {
    version: 2,
    owner: OWNER,
    layout: SNAPSHOT_LAYOUT,
    covers,
    segments: [{ generation: 1, owner: OWNER, parts: segments.length, bytes }],
  };
  const { topic } = claimRecord(task, OWNER, null);
  const progressRecords: OutputRecord[] = [
    { topic, key: task, value: Buffer.from(encodeProgress(progress)), headers: { owner: OWNER } },
    claimRecord(task, OWNER, null),
    claimRecord(task, OWNER, { from: 3, to: 4, deaths: 2 }),
  ];
  return {
    records: [...outputs, ...progressRecords].map(goldenRecord),
    task: {
      pipeline: name,
      progress: encodeProgress(progress),
      manifest: encodeManifest(manifestOf),
      segments: segments.map((segment) => Buffer.from(segment).toString("base64")),
      after: after.map((input, i) => ({
        ...goldenRecord({ topic: pipelineOf(name).source, ...bytesOf(input) }),
        offset: nextOffset + i,
        timestamp: input.timestamp,
      })),
    },
  };
}

/** What `npm run settings`, `model` and `reference` leave in `millrace-changes`. */
function commandRecords(): GoldenRecord[] {
  const change = { id: "first", value: "{}", done: true };
  return [
    goldenRecord({
      topic: topics.changes.name,
      key: `${topics.imuData.name}/settings`,
      value: Buffer.from(JSON.stringify(changeRecord.parse(change))),
      headers: {},
    }),
  ];
}

/** Decodes a golden of any version, as programs of this one do. */
export async function read({ records, tasks }: Golden): Promise<Decoded> {
  return { records: records.map(decodeRecord), tasks: await Promise.all(tasks.map(readTask)) };
}

async function readTask(task: GoldenTask): Promise<Decoded["tasks"][number]> {
  const progress = decodeProgress(task.progress);
  const stored = decodeManifest(task.manifest);
  const { from } = startingPoint(task.pipeline, progress, stored, { earliest: 0, latest: Infinity });
  const segments = task.segments.map((segment) => Buffer.from(segment, "base64"));
  const chunks = await readSegments(task.pipeline, segments, systemRuntime);
  const entries = [...entriesOf(chunks)].map((entry) => ({ generation: 1, ...entry }));
  const machine = await machineOf(task.pipeline, { nextOffset: from, chain: progress.chain, entries });
  const after = task.after.map(({ offset, timestamp, ...record }) => ({
    ...outputRecord(record),
    partition: PARTITION,
    offset,
    timestamp,
    key: record.key === null ? null : Buffer.from(record.key),
  }));
  const outputs = await stepAll(machine, after);
  return {
    pipeline: task.pipeline,
    nextOffset: from,
    outputs: outputs.map((output) => decodeRecord(goldenRecord(output))),
  };
}

/** Decodes a record by its topic's contract. @throws ZodError or Error when it does not fit */
function decodeRecord(golden: GoldenRecord): DecodedRecord {
  const { topic, key, value, headers } = outputRecord(golden);
  const text = value === null ? null : Buffer.from(value).toString("utf8");
  const decode = (): unknown => {
    if (topic === topics.deadLetter.name) return { text, code: headers[headerNames.errorCode] };
    if (topic === topics.changes.name) return changeRecord.parse(JSON.parse(text!));
    if (topic === topics.progress.name) {
      const task = String(key).split("#")[0]!;
      return key === claimKey(task) ? readClaim(text!) : decodeProgress(text!);
    }
    if (headers[headerNames.contentType] === contentTypes.columnsPacked) {
      const { header, t, values } = decodeColumns(value!);
      return { ...transformedHeader.parse(header), t: [...t], values: values.map((column) => [...column]) };
    }
    const contract = Object.entries(outputRecords).find(
      ([name]) => topics[name as keyof typeof outputRecords].name === topic,
    );
    if (!contract) throw new Error(`${topic} has no contract`);
    return contract[1].parse(JSON.parse(text!));
  };
  return { topic, key: key === null ? null : String(key), value: decode() };
}

function bytesOf({ timestamp, key, value, headers }: Input) {
  return {
    partition: PARTITION,
    timestamp,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers,
  };
}

function goldenRecord({ topic, key, value, headers }: OutputRecord): GoldenRecord {
  const text = key === null ? null : Buffer.from(key).toString("utf8");
  return { topic, key: text, value: value === null ? null : Buffer.from(value).toString("base64"), headers };
}

function outputRecord({ topic, key, value, headers }: GoldenRecord): OutputRecord {
  return { topic, key, value: value === null ? null : Buffer.from(value, "base64"), headers };
}
