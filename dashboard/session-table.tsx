import { colourOf, nameOf } from "./activity.ts";
import type { Session } from "./api.ts";
import { amount, duration, time } from "./format.ts";
import { storyAddress } from "./story.ts";

/** The address of a session's page. */
export function sessionAddress(sessionId: string): string {
  return `#/sessions/${encodeURIComponent(sessionId)}`;
}

/** Sessions, one a row. An open one has the time since it began. */
export function SessionTable({ sessions, label }: { readonly sessions: readonly Session[]; readonly label: string }) {
  return (
    <div class="table" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            <th>Sensor</th>
            <th>Start</th>
            <th class="number">Length</th>
            <th class="number">Readings</th>
            <th>Status</th>
            <th class="number">Revision</th>
            <th>Activity</th>
            <th>Story</th>
          </tr>
        </thead>
        <tbody data-from="api">
          {sessions.map((session) => (
            <Row key={session.sessionId} session={session} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ session }: { readonly session: Session }) {
  const { sessionId, sensorId, start, status, samples, revision, warnings, activity } = session;
  return (
    <tr data-session={sessionId}>
      <td>
        <a class="target" href={`#/sensor/${sensorId}`}>
          {sensorId}
        </a>
      </td>
      <td>
        <a class="target" href={sessionAddress(sessionId)} aria-label={`Session of ${sensorId} from ${time(start)}`}>
          {time(start)}
        </a>
      </td>
      <td class="number">{lengthOf(session)}</td>
      <td class="number">{samples === null ? "…" : amount(samples)}</td>
      <td>
        <span class={`status ${status}`}>{status}</span>
        {warnings.map(({ code, message }) => (
          <span key={code} class="warning" title={message}>
            {code.replaceAll("-", " ")}
          </span>
        ))}
      </td>
      <td class="number">{revision ?? ""}</td>
      <td>
        <ActivityBar activity={activity} />
      </td>
      <td>
        <a class="target" href={storyAddress(sessionId)} aria-label={`Story of session ${sessionId}`}>
          Story
        </a>
      </td>
    </tr>
  );
}

/** How long a session has lasted, until now where it is open. */
export function lengthOf({ start, end }: Session): string {
  return end === null ? `${duration(Math.max(0, Date.now() - start))} so far` : duration(end - start);
}

/** Shares of a session's activities, in seconds. */
function ActivityBar({ activity }: { readonly activity: Session["activity"] }) {
  if (!activity) return null;
  const parts = Object.entries(activity).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const total = parts.reduce((sum, [, seconds]) => sum + seconds, 0);
  const text = parts.map(([label, seconds]) => `${nameOf(label)} ${seconds.toFixed(1)} s`).join(", ");
  return (
    <span class="share" role="img" aria-label={text} title={text}>
      {parts.map(([label, seconds]) => (
        <span key={label} class={`key ${colourOf(label).slice(2)}`} style={{ width: `${(seconds / total) * 100}%` }} />
      ))}
    </span>
  );
}
