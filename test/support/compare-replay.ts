/**
 * `compare-replay.ts BROKERS MODELS PIPELINE` prints the result of `compareWithReplay` as JSON. It is a process of its
 * own because ONNX Runtime does not accept the arrays of Jest's realm.
 */
import { createKafka } from "../../adapters/kafka.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { defaultSemantics } from "../../domain/semantics.ts";
import { compareWithReplay } from "./accounting.ts";

const [kafkaBrokers, models, pipeline] = process.argv.slice(2) as [string, string, PipelineName];
const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "compare");
process.stdout.write(JSON.stringify(await compareWithReplay(kafka, models, defaultSemantics, pipeline)), () =>
  process.exit(0),
);
