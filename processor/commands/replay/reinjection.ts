import { headers as headerNames, topics } from "../../../domain/topics.ts";
import type { InputRecord } from "../../runtime/machine.ts";

/** Topics that dead letters are sent back to. */
const SOURCES: readonly string[] = [topics.imuData.name, topics.trades.name];
/** Where the bridge's own letters were meant for. */
const BRIDGE = { stage: "bridge", target: topics.imuData.name } as const;
/** What the dead letter was given besides the headers of its source. */
const LETTER_HEADERS = [
  headerNames.errorCode,
  headerNames.errorMessage,
  headerNames.stage,
  headerNames.sourceTopic,
  headerNames.sourcePartition,
  headerNames.sourceOffset,
  headerNames.mqttTopic,
  headerNames.fullSize,
  headerNames.fullSha256,
] as const;

/** A dead letter as a new record of its source topic, or why it can't be one. */
export type Reinjection =
  | {
      readonly kind: "send";
      readonly topic: string;
      readonly key: Uint8Array | null;
      readonly value: Uint8Array | null;
      readonly headers: Readonly<Record<string, string>>;
      /** Where it has to go when it has no key. */ readonly partition: number | undefined;
      readonly source: string;
    }
  | { readonly kind: "impossible"; readonly why: string };

/** Name of a dead letter: what `reinjected-from` says. */
export function letterName({ partition, offset }: Pick<InputRecord, "partition" | "offset">): string {
  return `${topics.deadLetter.name}/${partition}/${offset}`;
}

/** What is sent in again for a dead letter: the same key and value, the source's own headers, and `reinjected-from`. */
export function reinjection(letter: InputRecord): Reinjection {
  const { headers, key, value } = letter;
  const {
    [headerNames.sourceTopic]: sourceTopic,
    [headerNames.sourcePartition]: partition,
    [headerNames.sourceOffset]: offset,
    [headerNames.fullSha256]: cut,
  } = headers;
  if (cut !== undefined)
    return {
      kind: "impossible",
      why: `its payload was cut: ${headers[headerNames.fullSize]} bytes, SHA-256 ${cut}, came on MQTT topic ${headers[headerNames.mqttTopic]}`,
    };
  const topic = sourceTopic ?? (headers[headerNames.stage] === BRIDGE.stage ? BRIDGE.target : undefined);
  if (topic === undefined || !SOURCES.includes(topic))
    return {
      kind: "impossible",
      why: `its ${headerNames.sourceTopic} is ${JSON.stringify(topic ?? null)}; known are ${SOURCES.join(" and ")}`,
    };
  const own = Object.fromEntries(
    Object.entries(headers).filter(([name]) => !(LETTER_HEADERS as readonly string[]).includes(name)),
  );
  return {
    kind: "send",
    topic,
    key,
    value,
    headers: { ...own, [headerNames.reinjectedFrom]: letterName(letter) },
    partition: key === null && partition !== undefined ? Number(partition) : undefined,
    source: offset === undefined ? letterName(letter) : `${topic}/${partition}/${offset}`,
  };
}
