/** Consumer groups with the lag of each partition. */
import { amount, NOTHING } from "./format.ts";
import type { GroupOverview } from "./ops.ts";
import { topicAddress } from "./pipeline-topics.tsx";

export function Groups({ groups }: { readonly groups: readonly GroupOverview[] }) {
  return (
    <section class="panel" aria-labelledby="groups-title">
      <h2 id="groups-title">Consumer groups</h2>
      <p class="muted">
        Lag is the number of records behind what a group has committed. A group without members commits by its function;
        one without a lag commits nothing in Kafka.
      </p>
      {groups.length === 0 && <p class="muted hint">None.</p>}
      {groups.map((group) => (
        <Group key={group.group} group={group} />
      ))}
    </section>
  );
}

function Group({ group }: { readonly group: GroupOverview }) {
  const { group: name, state, members, readers, lag, topics } = group;
  const size = members === 1 ? "1 member" : `${members} members`;
  return (
    <details data-group={name}>
      <summary>
        <strong>{name}</strong>
        <span class="muted">
          {readers.length > 0 && `${readers.join(", ")} · `}
          {state}, {size}
        </span>
        <span class="number">
          {lag === null ? "no lag known" : `lag ${amount(lag, lag === 1 ? "record" : "records")}`}
        </span>
      </summary>
      {topics.length === 0 && <p class="muted hint">It has committed no offsets.</p>}
      {topics.map(({ topic, partitions }) => (
        <div key={topic} class="table" tabIndex={0} role="region" aria-label={`Lag of ${name} in ${topic}`}>
          <table>
            <caption>
              <a class="target" href={topicAddress(topic)}>
                {topic}
              </a>
            </caption>
            <thead>
              <tr>
                <th class="number">Partition</th>
                <th class="number">Committed offset</th>
                <th class="number">Next offset</th>
                <th class="number">Lag, records</th>
              </tr>
            </thead>
            <tbody>
              {partitions.map(({ partition, committed, next, lag: behind }) => (
                <tr key={partition}>
                  <td class="number">{partition}</td>
                  <td class="number">{committed === null ? NOTHING : amount(committed)}</td>
                  <td class="number">{amount(next)}</td>
                  <td class="number">{behind === null ? NOTHING : amount(behind)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ))}
    </details>
  );
}
