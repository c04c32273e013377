import { join } from "node:path";
import { flag, parseCommandLine, text } from "../adapters/command-line.ts";
import { runCommand } from "../adapters/run-command.ts";
import { MODEL_HEADER } from "../domain/models.ts";
import type { InferenceRecord } from "../domain/records.ts";
import { defaultSemantics } from "../domain/semantics.ts";
import { controlTypes, headers, topics } from "../domain/topics.ts";
import { sensorMachineFactory } from "../processor/adapters/machine-factory.ts";
import { modelFiles } from "../processor/adapters/model-files.ts";
import { loadModel } from "../processor/adapters/model-store.ts";
import { Replay } from "../processor/commands/replay/replay.ts";
import type { Model } from "../processor/inference/model.ts";
import type { InputRecord } from "../processor/runtime/machine.ts";
import {
  AWAY_MS,
  classificationMetrics,
  confusionOf,
  type ClassificationMetrics,
  type Scored,
  type StreamConfusion,
} from "./classification-metrics.ts";
import { type LabelledStream, readLabelledStreams } from "./labelled-recordings.ts";

const USAGE = `npm run evaluate -- --data DIR [--model FOLDER] [--json]
Sends recordings through the sensor pipeline, one stream per subject and device, and compares the model's labels with
the recorded ones.

  --data DIR      recordings in the layout of sp-sw-har
  --model FOLDER  folder of the model (models/activity)
  --json          print the result as JSON`;

/** Readings per message. */
const MESSAGE_ROWS = 20;
/** Time from a message's last sample to its arrival in the log. */
const ARRIVAL_MS = 50;

/** The log of a stream, which has its own partition: the record that makes the model live, then the messages. */
async function* logOf(stream: LabelledStream, partition: number, model: Model): AsyncGenerator<InputRecord> {
  let offset = 0;
  const common = { partition, key: null, value: null };
  yield {
    ...common,
    offset: offset++,
    timestamp: stream.t[0]!,
    headers: {
      [headers.type]: controlTypes.model,
      [MODEL_HEADER]: JSON.stringify({ stage: "live", model: model.reference }),
    },
  };
  for (let from = 0; from < stream.t.length; from += MESSAGE_ROWS) {
    const t = stream.t.slice(from, from + MESSAGE_ROWS);
    const value = Buffer.from(
      JSON.stringify({ seq: from / MESSAGE_ROWS, t, samples: stream.samples.slice(from, from + MESSAGE_ROWS) }),
    );
    yield {
      partition,
      offset: offset++,
      timestamp: t.at(-1)! + ARRIVAL_MS,
      key: Buffer.from(stream.sensor),
      value,
      headers: {},
    };
  }
}

async function scoreStream(stream: LabelledStream, partition: number, model: Model): Promise<Scored[]> {
  const scored: Scored[] = [];
  const scoring = {
    source: { load: () => Promise.resolve(model) },
    refused: () => {
      throw new Error("unreachable: the model was loaded before");
    },
  };
  const replay = new Replay(
    sensorMachineFactory(defaultSemantics, scoring),
    () => logOf(stream, partition, model),
    async (outputs) => {
      for (const { topic, value, headers: outputHeaders } of outputs) {
        if (topic === topics.deadLetter.name)
          throw new Error(`${stream.sensor}: a message was dead-lettered: ${outputHeaders[headers.errorMessage]}`);
        if (topic !== topics.inference.name) continue;
        const { window, label } = JSON.parse(Buffer.from(value!).toString("utf8")) as InferenceRecord;
        scored.push({ ...window, label });
      }
    },
  );
  await replay.run(true);
  return scored;
}

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { data: text, model: text, json: flag },
    required: ["data"],
  });
  const folder = values.model ?? join(import.meta.dirname, "activity");
  const model = await loadModel(modelFiles(folder, "none"), ".");
  const { labels } = model.manifest;
  const streams = readLabelledStreams(values.data);
  const results: StreamResult[] = [];
  for (const [partition, stream] of streams.entries()) {
    const [subject, device] = stream.sensor.split("-") as [string, string];
    const confusion = confusionOf(stream, await scoreStream(stream, partition, model), labels);
    results.push({ subject, device, confusion });
  }
  const byDevice = Map.groupBy(results, ({ device }) => device);
  const devices = mapToObject(byDevice, (list) =>
    classificationMetrics(
      list.map(({ confusion }) => confusion),
      labels,
    ),
  );
  if (values.json) {
    const accuracyBySubject = mapToObject(byDevice, (list) =>
      Object.fromEntries(
        list.map(({ subject, confusion }) => [subject, classificationMetrics([confusion], labels).accuracy]),
      ),
    );
    const result = { model: model.reference, labels, awayMs: AWAY_MS, devices, accuracyBySubject };
    console.log(JSON.stringify(result, null, 1));
    return;
  }
  console.log(`model ${model.reference.name} ${model.reference.version}, ${streams.length} streams`);
  for (const [device, metrics] of Object.entries(devices)) printMetrics(device, metrics, labels);
}

interface StreamResult {
  readonly subject: string;
  readonly device: string;
  readonly confusion: StreamConfusion;
}

function mapToObject<T, R>(map: ReadonlyMap<string, T>, convert: (value: T) => R): Record<string, R> {
  return Object.fromEntries([...map].map(([key, value]) => [key, convert(value)]));
}

function printMetrics(device: string, metrics: ClassificationMetrics, labels: readonly string[]): void {
  console.log(
    `${device}: ${metrics.hops} hops, accuracy ${metrics.accuracy}, macro F1 ${metrics.macroF1}, ` +
      `away from label changes ${metrics.awayAccuracy} of ${metrics.awayHops}, majority ${metrics.majorityBaseline}`,
  );
  labels.forEach((label, i) =>
    console.log(`  ${label.padEnd(13)} F1 ${metrics.f1[label]!.toFixed(4)}  ${metrics.confusion[i]!.join(" ")}`),
  );
}

await runCommand(main);
