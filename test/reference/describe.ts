import type { LateRecord, SessionRecord, WindowRecord } from "../../domain/records.ts";
import { headers, topics } from "../../domain/topics.ts";
import type { Output } from "./log.ts";

interface Transformed {
  readonly seq: number;
  readonly boot?: string;
}

/** One output as one line that a person can check: `@<offset of the causing record> <what>`. */
export function line(output: Output): string {
  if (output.topic === topics.deadLetter.name)
    return `@${output.headers[headers.sourceOffset]} dead-letter ${output.key} ${output.headers[headers.errorCode]}`;
  return `@${(output.value as { id: string }).id.split("/")[2]} ${what(output)}`;
}

function what({ topic, key, value }: Output): string {
  switch (topic) {
    case topics.aggregated.name: {
      const { window, revision, cause, count } = value as WindowRecord;
      return `window ${key} ${window.start}..${window.end} r${revision} ${cause} n=${count}`;
    }
    case topics.late.name: {
      const { operator, window, seq, t } = value as LateRecord;
      return `late ${operator} ${key} ${window.start}..${window.end} seq=${seq} t=${t.join(",")}`;
    }
    case topics.transformed.name: {
      const { seq, boot } = value as Transformed;
      return `transformed ${key} seq=${seq}${boot === undefined ? "" : ` boot=${boot}`}`;
    }
    case topics.sessions.name:
      return session(value as SessionRecord);
    default:
      return topic;
  }
}

function session(record: SessionRecord): string {
  const supersedes = record.supersedes.length === 0 ? "" : ` supersedes ${record.supersedes.join(",")}`;
  if (record.type === "started") return `started ${record.sessionId}${supersedes}`;
  const { sessionId, end, samples, revision, cause, warnings = [] } = record;
  const warned = warnings.map((code) => ` warns ${code}`).join("");
  return `ended ${sessionId}..${end} n=${samples} r${revision} ${cause}${supersedes}${warned}`;
}
