import type { LogRecord } from "../../../adapters/record-batches.ts";
import { deadLetterAdvice, messageNumberOf } from "../../../domain/dead-letters.ts";
import { deadLetterCodes, type DeadLetterCode } from "../../../domain/errors.ts";
import { inputLine } from "../dump/dump-topic.ts";
import { letterOf, printable } from "./letters.ts";
import { letterName, recordOfLetter } from "./record-of-letter.ts";

/** A letter as somebody on call reads it; behind it the record itself, verbatim, as a line of `npm run dump`. */
export function letterText(record: LogRecord, wasSent: boolean): string {
  const letter = letterOf(record);
  const code = letter.code as DeadLetterCode;
  const known = Object.hasOwn(deadLetterCodes, code);
  return [
    letterName(record),
    `  id          ${letter.id}`,
    `  written     ${new Date(letter.at).toISOString()}`,
    `  code        ${code}${known ? `: ${deadLetterCodes[code]}` : ""}`,
    `  message     ${printable(letter.message)}`,
    `  stage       ${letter.stage}`,
    `  about       ${aboutOf(record)}`,
    `  source      ${sourceOf(record)}`,
    `  traceparent ${letter.traceparent ?? "none"}`,
    `  what to do  ${known ? deadLetterAdvice[code] : "This version does not know the code: see the message."}`,
    `  send again  ${sendingOf(record, wasSent)}`,
    "",
    inputLine(record),
  ].join("\n");
}

function aboutOf(record: LogRecord): string {
  const { sensorId, symbol, contentType } = letterOf(record);
  if (sensorId === null) return symbol === null ? "no sensor, and no symbol" : `symbol ${symbol}`;
  const { seq, boot } = messageNumberOf(record.value, contentType);
  const number =
    seq === null ? "its number can't be read" : `seq ${seq}${boot === null ? "" : `, boot ${printable(boot)}`}`;
  return `sensor ${sensorId}, ${number}`;
}

function sourceOf(record: LogRecord): string {
  const { source, mqttTopic } = letterOf(record);
  if (source) return `${source.topic}/${source.partition}/${source.offset}`;
  return mqttTopic === null ? "unknown" : `MQTT topic ${printable(mqttTopic)}`;
}

function sendingOf(record: LogRecord, wasSent: boolean): string {
  if (wasSent) return "was done already";
  const again = recordOfLetter(record);
  if (again.kind === "impossible") return `is impossible: ${again.why}`;
  return `npm run dead-letters -- send-again ${letterName(record)}`;
}
