import { topicOfLog } from "../../../domain/names.ts";
import { pipelineNames, pipelines } from "../../../domain/pipelines.ts";
import { headers as headerNames, topics } from "../../../domain/topics.ts";
import type { InputRecord } from "../../runtime/machine.ts";

/** Topics that dead letters go back to: the inputs of the pipelines. */
const INPUTS: readonly string[] = pipelineNames.map((name) => topics[pipelines[name].input].name);
/** The bridge's letters name no source topic: their source is MQTT. This is the topic that the bridge writes. */
const BRIDGE = { stage: "bridge", target: topics.imuData.name } as const;
/** Headers that a dead letter has besides those of its source record. */
const LETTER_HEADERS: ReadonlySet<string> = new Set([
  headerNames.errorCode,
  headerNames.errorMessage,
  headerNames.stage,
  headerNames.sourceTopic,
  headerNames.sourcePartition,
  headerNames.sourceOffset,
  headerNames.mqttTopic,
  headerNames.letterId,
  headerNames.fullSize,
  headerNames.fullSha256,
]);

/** A new record of the topic that a dead letter came from. */
export interface RecordOfLetter {
  readonly kind: "record";
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
  /** The partition of a record without a key. Undefined: Kafka's partitioner decides by the key. */
  readonly partition: number | undefined;
  /** The source record, `<log>/<partition>/<offset>`, or the letter's own id: letters with the same are copies. */
  readonly source: string;
}

/** Why a dead letter can't become a record again. */
export interface ImpossibleLetter {
  readonly kind: "impossible";
  readonly why: string;
}

/** Name of a dead letter, as the header `reinjected-from` has it. */
export function letterName({ partition, offset }: Pick<InputRecord, "partition" | "offset">): string {
  return `${topics.deadLetter.name}/${partition}/${offset}`;
}

/** The record for a dead letter: the same key and value, the source's headers, and `reinjected-from`. */
export function recordOfLetter(letter: InputRecord): RecordOfLetter | ImpossibleLetter {
  const { headers, key, value } = letter;
  const {
    [headerNames.sourceTopic]: sourceTopic,
    [headerNames.sourcePartition]: partition,
    [headerNames.sourceOffset]: offset,
    [headerNames.fullSha256]: fullSha256,
    [headerNames.letterId]: letterId,
  } = headers;
  if (fullSha256 !== undefined) {
    const payload = `${headers[headerNames.fullSize]} bytes, SHA-256 ${fullSha256}`;
    return impossible(`its payload was cut: ${payload}, came on MQTT topic ${headers[headerNames.mqttTopic]}`);
  }
  const log = sourceTopic ?? (headers[headerNames.stage] === BRIDGE.stage ? BRIDGE.target : undefined);
  const topic = log && topicOfLog(log);
  if (topic === undefined || !INPUTS.includes(topic)) {
    const received = JSON.stringify(log ?? null);
    return impossible(`its ${headerNames.sourceTopic} is ${received}; known are ${INPUTS.join(" and ")}`);
  }
  const own = Object.entries(headers).filter(([name]) => !LETTER_HEADERS.has(name));
  return {
    kind: "record",
    topic,
    key,
    value,
    headers: { ...Object.fromEntries(own), [headerNames.reinjectedFrom]: letterName(letter) },
    partition: key === null && partition !== undefined ? Number(partition) : undefined,
    source: offset === undefined ? (letterId ?? letterName(letter)) : `${log}/${partition}/${offset}`,
  };
}

function impossible(why: string): ImpossibleLetter {
  return { kind: "impossible", why };
}
