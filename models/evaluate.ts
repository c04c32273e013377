import { join } from "node:path";
import { parseArgs } from "node:util";
import { MillraceError } from "../domain/errors.ts";
import { defaultSemantics } from "../domain/imu.ts";
import { MODEL_HEADER } from "../domain/models.ts";
import type { InferenceRecord } from "../domain/records.ts";
import { controlTypes, headers, topics } from "../domain/topics.ts";
import { sensorMachineFactory } from "../processor/adapters/machine-factory.ts";
import { loadModel, modelFiles } from "../processor/adapters/model-store.ts";
import { Replay } from "../processor/commands/replay/replay.ts";
import type { Model } from "../processor/inference/model.ts";
import type { InputRecord } from "../processor/runtime/machine.ts";
import { AWAY_MS, figures, judge, type Judged, type Scored } from "./figures.ts";
import { type LabelledStream, readLabelledStreams } from "./labelled-recordings.ts";

const USAGE = `npm run evaluate -- --data DIR [--model FOLDER] [--json]
Streams recordings in the layout of sp-sw-har through the processor's path, one stream per subject and device, and
compares what the model says with the labels. --model: a model's folder (default models/activity).`;

/** Readings of a message, and how long after its last sample it reaches the log. */
const MESSAGE_ROWS = 20;
const ARRIVAL_MS = 50;

/** A stream as the log of a partition of its own: the record that makes the model live, then its messages. */
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

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { data: { type: "string" }, model: { type: "string" }, json: { type: "boolean", default: false } },
  });
  if (values.data === undefined) throw new MillraceError("arguments-invalid", `--data DIR is missing\n${USAGE}`);
  const folder = values.model ?? join(import.meta.dirname, "activity");
  const model = await loadModel(modelFiles(folder, "none"), ".");
  const { labels } = model.manifest;
  const streams = readLabelledStreams(values.data);
  const byDevice = new Map<string, { stream: LabelledStream; judged: Judged }[]>();
  for (const [partition, stream] of streams.entries()) {
    const device = stream.sensor.split("-").at(-1)!;
    byDevice.set(device, [
      ...(byDevice.get(device) ?? []),
      { stream, judged: judge(stream, await scoreStream(stream, partition, model), labels) },
    ]);
  }
  const devices = Object.fromEntries(
    [...byDevice].map(([device, list]) => [
      device,
      figures(
        list.map(({ judged }) => judged),
        labels,
      ),
    ]),
  );
  if (values.json) {
    const accuracyBySubject = Object.fromEntries(
      [...byDevice].map(([device, list]) => [
        device,
        Object.fromEntries(
          list.map(({ stream, judged }) => [stream.sensor.split("-")[0], figures([judged], labels).accuracy]),
        ),
      ]),
    );
    console.log(
      JSON.stringify({ model: model.reference, labels, awayMs: AWAY_MS, devices, accuracyBySubject }, null, 1),
    );
    return;
  }
  console.log(`model ${model.reference.name} ${model.reference.version}, ${streams.length} streams`);
  for (const [device, found] of Object.entries(devices)) {
    console.log(
      `${device}: ${found.hops} hops, accuracy ${found.accuracy}, macro F1 ${found.macroF1}, away from label changes ${found.awayAccuracy} of ${found.awayHops}, majority ${found.majorityBaseline}`,
    );
    labels.forEach((label, i) =>
      console.log(`  ${label.padEnd(13)} F1 ${found.f1[label]!.toFixed(4)}  ${found.confusion[i]!.join(" ")}`),
    );
  }
}

main().catch((error: unknown) => {
  process.stderr.write(
    `${error instanceof MillraceError ? `${error.code}: ${error.message}` : (error as Error).message}\n`,
  );
  process.exitCode = 1;
});
