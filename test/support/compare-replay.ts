/**
 * `compare-replay.ts BROKERS MODELS` prints the result of `compareWithReplay` as JSON. It is a process of its own
 * because ONNX Runtime does not accept the arrays of Jest's realm.
 */
import { createKafka } from "../../adapters/kafka.ts";
import { compareWithReplay } from "./accounting.ts";

const [kafkaBrokers, models] = process.argv.slice(2) as [string, string];
const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "compare");
process.stdout.write(JSON.stringify(await compareWithReplay(kafka, models)), () => process.exit(0));
