import { storyLink } from "./story.ts";

/** Labels take these colours in the order of their first appearance. */
const PALETTE = ["#0f766e", "#d97706", "#2563eb", "#db2777", "#7c3aed", "#65a30d", "#64748b"];

const colours: Map<string, string> = new Map();

function colourOf(label: string) {
  if (!colours.has(label)) colours.set(label, PALETTE[colours.size % PALETTE.length] as string);
  return colours.get(label) as string;
}

function duration(ms: number) {
  const seconds = ms / 1_000;
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

export type Session = {
  sessionId: string;
  sensorId: string;
  status: "open" | "ended";
  start: number;
  end: number | null;
  samples: number | null;
  revision: number | null;
  activity?: Record<string, number>;
  warnings: { code: string; message: string }[];
};

/** Rows are made anew; a link that has the focus has it again. */
export function showSessions(body: HTMLElement, sessions: Session[]) {
  const focused = body.contains(document.activeElement) ? document.activeElement?.closest("tr")?.dataset.session : null;
  const rows = sessions.map(sessionRow);
  body.replaceChildren(...rows);
  if (focused)
    rows
      .find((row) => row.dataset.session === focused)
      ?.querySelector("a")
      ?.focus();
}

function sessionRow(session: Session) {
  const row = document.createElement("tr");
  row.dataset.session = session.sessionId;
  const status = document.createElement("span");
  status.className = `status ${session.status}`;
  status.textContent = session.status;
  const state = document.createElement("span");
  state.append(status, ...session.warnings.map(warningMark));
  row.append(
    tableCell(session.sensorId),
    tableCell(new Date(session.start).toLocaleTimeString()),
    tableCell(session.end === null ? "…" : duration(session.end - session.start), "number"),
    tableCell(session.samples === null ? "…" : session.samples.toLocaleString(), "number"),
    tableCell(state),
    tableCell(session.revision === null ? "" : String(session.revision), "number"),
    tableCell(activityBar(session.activity)),
    tableCell(storyLink(session.sessionId, `session ${session.sessionId}`)),
  );
  return row;
}

function warningMark({ code, message }: { code: string; message: string }) {
  const mark = document.createElement("span");
  mark.className = "warning";
  mark.textContent = code.replaceAll("-", " ");
  mark.title = message;
  return mark;
}

function tableCell(content: string | Node, className: string = "") {
  const cell = document.createElement("td");
  if (className) cell.className = className;
  cell.append(content);
  return cell;
}

/** @param activity Seconds per label. */
function activityBar(activity: Record<string, number> | undefined) {
  if (!activity) return "";
  const bar = document.createElement("span");
  bar.className = "share";
  const total = Object.values(activity).reduce((sum, seconds) => sum + seconds, 0);
  for (const [label, seconds] of Object.entries(activity).sort(([a], [b]) => a.localeCompare(b))) {
    const part = document.createElement("span");
    part.style.width = `${(seconds / total) * 100}%`;
    part.style.background = colourOf(label);
    part.title = `${label.toLowerCase().replaceAll("_", " ")} ${seconds.toFixed(1)} s`;
    bar.append(part);
  }
  return bar;
}
