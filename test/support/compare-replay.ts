/**
 * A process of its own: `compare-replay.ts BROKERS MODELS` prints what `compareWithReplay` gives, as JSON. Jest's own
 * realm has other arrays and errors than ONNX Runtime and Node know.
 */
import { createKafka } from "../../adapters/kafka.ts";
import { compareWithReplay } from "./accounting.ts";

const [kafkaBrokers, models] = process.argv.slice(2) as [string, string];
const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "compare");
process.stdout.write(JSON.stringify(await compareWithReplay(kafka, models)), () => process.exit(0));
