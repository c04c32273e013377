/** Topics of Kafka's, and the last records of one. */
import { amount, NOTHING } from "./format.ts";
import type { Readable, RecordPreview, RecordsOverview, TopicOverview } from "./ops.ts";
import { storyAddress } from "./story.ts";
import { measure } from "./units.ts";

/** Characters of a value in the list of records. */
const IN_LIST = 160;

/** The address of a topic's records. */
export function topicAddress(topic: string, query: Readonly<Record<string, string>> = {}): string {
  const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  return `#/pipeline/topic/${encodeURIComponent(topic)}${given && `?${given}`}`;
}

export function Topics({ topics }: { readonly topics: readonly TopicOverview[] }) {
  return (
    <section class="panel" aria-labelledby="topics-title">
      <h2 id="topics-title">Topics</h2>
      <div class="table" tabIndex={0} role="region" aria-label="Table of topics">
        <table>
          <thead>
            <tr>
              <th>Topic</th>
              <th class="number">Partitions</th>
              <th class="number">Offsets kept</th>
              <th class="number">Growth, offsets</th>
              <th class="number">Size</th>
              <th class="number">Kept for</th>
            </tr>
          </thead>
          <tbody>
            {topics.map((topic) => (
              <tr key={topic.name}>
                <td>
                  <a class="target" href={topicAddress(topic.name)}>
                    {topic.name}
                  </a>
                  <br />
                  <span class="muted">{topic.purpose ?? "no topic of Millrace's"}</span>
                </td>
                <td class="number">{topic.partitions.length}</td>
                <td class="number">{amount(offsetsOf(topic))}</td>
                <td class="number">{measure(topic.offsetsPerSecond, "/s")}</td>
                <td class="number">{measure(topic.bytes, "bytes")}</td>
                <td class="number">{keptFor(topic)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function offsetsOf({ partitions }: TopicOverview): number {
  return partitions.reduce((sum, { first, next }) => sum + next - first, 0);
}

function keptFor({ retentionMs }: TopicOverview): string {
  if (retentionMs === null) return NOTHING;
  return retentionMs < 0 ? "ever" : measure(retentionMs, "ms");
}

interface TopicProps {
  readonly name: string;
  readonly overview: TopicOverview | undefined;
  readonly records: RecordsOverview | undefined;
  readonly partition: string;
  readonly before: string;
  readonly follows: boolean;
  /** Whether the list stands still because a record is open. */
  readonly isHeld: boolean;
  readonly onFollow: (follows: boolean) => void;
  readonly onOpen: (key: string, isOpen: boolean) => void;
}

export function Topic(props: TopicProps) {
  const { name, overview, records, partition, before } = props;
  return (
    <>
      <section class="panel" aria-labelledby="topic-title">
        <div class="panel-head">
          <h2 id="topic-title">{name}</h2>
          <a class="target" href="#/pipeline/topics">
            All topics
          </a>
        </div>
        {overview && (
          <>
            <p class="muted">
              {overview.purpose ?? "No topic of Millrace's"}. {measure(overview.bytes, "bytes")}, growing by{" "}
              {measure(overview.offsetsPerSecond, "offsets/s")}.
            </p>
            <details>
              <summary>{overview.partitions.length} partitions</summary>
              <Partitions topic={overview} />
            </details>
          </>
        )}
      </section>
      <section class="panel" aria-labelledby="records-title">
        <div class="aside-head">
          <h2 id="records-title">{before === "" ? "Last records" : `Records before offset ${before}`}</h2>
          <span class="muted">newest first</span>
        </div>
        <div class="controls">
          <label>
            Partition{" "}
            <select
              value={partition}
              onChange={({ currentTarget }) => (location.hash = topicAddress(name, { partition: currentTarget.value }))}
            >
              <option value="">all</option>
              {overview?.partitions.map((each) => (
                <option key={each.partition} value={String(each.partition)}>
                  {each.partition}
                </option>
              ))}
            </select>
          </label>
          <label>
            <input
              type="checkbox"
              checked={props.follows}
              disabled={before !== ""}
              onChange={({ currentTarget }) => props.onFollow(currentTarget.checked)}
            />{" "}
            Follow
          </label>
          <span class="muted" role="status">
            {props.isHeld && props.follows && "The list stands still while a record is open."}
          </span>
        </div>
        {records && <Records {...props} records={records} />}
      </section>
    </>
  );
}

function Partitions({ topic }: { readonly topic: TopicOverview }) {
  return (
    <div class="table" tabIndex={0} role="region" aria-label={`Partitions of ${topic.name}`}>
      <table>
        <thead>
          <tr>
            <th class="number">Partition</th>
            <th class="number">First offset</th>
            <th class="number">Next offset</th>
            <th class="number">Size</th>
            <th class="number">Leader</th>
            <th class="number">Replicas in sync</th>
          </tr>
        </thead>
        <tbody>
          {topic.partitions.map(({ partition, first, next, bytes, leader, replicas, inSync }) => (
            <tr key={partition}>
              <td class="number">{partition}</td>
              <td class="number">{amount(first)}</td>
              <td class="number">{amount(next)}</td>
              <td class="number">{measure(bytes, "bytes")}</td>
              <td class="number">broker {leader}</td>
              <td class="number">
                {inSync} of {replicas}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Records({ name, partition, before, records, onOpen }: TopicProps & { readonly records: RecordsOverview }) {
  const last = records.records.at(-1);
  return (
    <>
      {records.records.length === 0 && <p class="muted hint">None.</p>}
      {!records.isComplete && (
        <p class="muted hint">
          Reading ended at its bound: other partitions may have newer records than the last ones.
        </p>
      )}
      <ol class="records">
        {records.records.map((record) => {
          const key = `${record.partition}/${record.offset}`;
          return (
            <li key={key}>
              <details onToggle={({ currentTarget }) => onOpen(key, currentTarget.open)}>
                <summary>
                  <time>{new Date(record.timestamp).toISOString().slice(11, 23)}</time>
                  <span class="muted">{key}</span>
                  <strong>{record.key === null ? headerOf(record, "type") : textOf(record.key)}</strong>
                  <code>{record.value === null ? "no value" : record.value.text.slice(0, IN_LIST)}</code>
                </summary>
                <RecordBody topic={name} record={record} />
              </details>
            </li>
          );
        })}
      </ol>
      <p class="pages">
        {before !== "" && (
          <a class="target" href={topicAddress(name, { partition })}>
            Newest
          </a>
        )}
        {partition !== "" && last !== undefined && last.offset > 0 && (
          <a class="target" href={topicAddress(name, { partition, before: String(last.offset) })}>
            Older
          </a>
        )}
        {partition === "" && <span class="muted">Choose a partition to go further back.</span>}
      </p>
    </>
  );
}

function RecordBody({ topic, record }: { readonly topic: string; readonly record: RecordPreview }) {
  const { partition, offset, timestamp, bytes, headers, value } = record;
  const story = storyOf(topic, record);
  return (
    <div class="record">
      <p class="muted">
        {new Date(timestamp).toISOString()} · partition {partition}, offset {offset} · {measure(bytes, "bytes")}
        {value &&
          value.form !== "json" &&
          ` · shown as ${value.form === "packed" ? "a summary of packed readings" : value.form}`}
        {value?.isCut && " · only its beginning is shown"}
      </p>
      {story !== null && (
        <p>
          <a class="target" href={storyAddress(story)}>
            Story of this message
          </a>
        </p>
      )}
      {headers.length > 0 && (
        <dl class="headers" aria-label="Headers">
          {headers.map(([name, text], i) => (
            <div key={i}>
              <dt>{name}</dt>
              <dd>{text === null ? "null" : textOf(text)}</dd>
            </div>
          ))}
        </dl>
      )}
      {value && (
        <pre tabIndex={0} aria-label="Value">
          {pretty(value)}
        </pre>
      )}
    </div>
  );
}

/** What `npm run trace` tells the story by: a record that causes outputs by its place, an output by its id. */
function storyOf(topic: string, { partition, offset, key, value }: RecordPreview): string | null {
  if (key === null || value === null) return null;
  if (topic === "imu-data-all" || topic === "market-trades") return `${topic}/${partition}/${offset}`;
  if (value.isCut || (value.form !== "json" && value.form !== "packed")) return null;
  const { id } = (JSON.parse(value.text) ?? {}) as { id?: unknown };
  return typeof id === "string" ? id : null;
}

function headerOf({ headers }: RecordPreview, name: string): string {
  const found = headers.find(([each]) => each === name)?.[1];
  return found ? `control: ${textOf(found)}` : "no key";
}

function textOf({ form, text }: Readable): string {
  return form === "text" ? text : `base64 ${text}`;
}

function pretty({ form, text, isCut }: NonNullable<RecordPreview["value"]>): string {
  return isCut || (form !== "json" && form !== "packed") ? text : JSON.stringify(JSON.parse(text), null, 2);
}
