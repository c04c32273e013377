import { spawn } from "node:child_process";
import { once } from "node:events";
import { topics } from "../../domain/topics.ts";
import { SERVERS_FOLDER } from "../../local/servers/index.ts";
import { installServers } from "../../local/servers/install.ts";
import type { Stage } from "./stage.ts";

const CODECS = ["gzip", "snappy", "lz4", "zstd"];
const SENSORS = 5;
const MESSAGES = 20;
const HZ = 100;
/** Samples in a message. */
const ROWS = 10;

/** Kafka's console producer appends messages of sensors of its own, by each codec. @returns The codecs */
export async function produceForeignBatches({ kafkaBrokers, appended }: Stage): Promise<string> {
  const { java, classpath } = await installServers({
    folder: SERVERS_FOLDER,
    javaHome: process.env["JAVA_HOME"],
    onProgress: () => undefined,
  });
  const round = Object.keys(appended).length;
  for (const codec of CODECS) {
    const start = Date.now();
    const sensors = Array.from({ length: SENSORS }, (_, i) => `foreign-${codec}-${round}-${i}`);
    const lines = Array.from({ length: MESSAGES }, (_, seq) =>
      sensors.map((sensorId) => `${sensorId}\t${message(seq, start)}\n`).join(""),
    );
    const producer = spawn(
      java,
      [
        ...["-Xmx128m", "-cp", classpath, "kafka.tools.ConsoleProducer", "--bootstrap-server", kafkaBrokers],
        ...["--topic", topics.imuData.name, "--compression-codec", codec, "--timeout", "500"],
        ...["--property", "parse.key=true", "--request-required-acks", "all"],
      ],
      { stdio: ["pipe", "ignore", "pipe"] },
    );
    let said = "";
    producer.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    producer.stdin.end(lines.join(""));
    const [code] = (await once(producer, "exit")) as [number | null];
    if (code !== 0) throw new Error(`Kafka's console producer (${codec}) ended with exit code ${code}: ${said}`);
    const samples = MESSAGES * ROWS;
    const end = start + ((samples - 1) * 1_000) / HZ;
    for (const sensorId of sensors)
      appended[sensorId] = {
        messages: MESSAGES,
        samples,
        late: 0,
        duplicates: 0,
        corrupt: 0,
        executions: [{ name: codec, number: 0, start, end, samples }],
      };
  }
  return CODECS.join(", ");
}

function message(seq: number, start: number): string {
  const samples = Array.from({ length: ROWS }, (_, i) => [0, 0, 9.80665, 0, 0, i / 10]);
  return JSON.stringify({ seq, boot: "foreign", t: start + (seq * ROWS * 1_000) / HZ, hz: HZ, samples });
}
