import { render } from "preact";
import { ActivityTimeline } from "./activity-timeline.tsx";
import { type ActivityStretch, answer, type Api, apiAt, type List, type Session } from "./api.ts";
import { type Config, RequestError } from "./client.ts";
import { byId } from "./dom.ts";
import { amount, time } from "./format.ts";
import { type Listed, readActivity } from "./history.ts";
import { liveAddress } from "./live-address.ts";
import { lengthOf, SessionTable } from "./session-table.tsx";
import { storyAddress } from "./story.ts";
import type { View } from "./view.ts";
import { WindowCharts } from "./window-chart.tsx";
import { type History, readWindows } from "./window-history.ts";

/** Sessions in a page of the list. */
const PAGE = 50;
const SENSOR_ID = /^[A-Za-z0-9:_-]{1,128}$/;
const STATUSES = ["open", "ended"];
/** What an address may say about the list; times as `2026-07-11T10:06`, of the reader's clock. */
const FILTERS = ["sensorId", "status", "from", "to", "cursor"] as const;
type Filters = Readonly<Record<(typeof FILTERS)[number], string>>;
/** What the API takes of them. */
type Query = Partial<Omit<Filters, "status">> & { readonly status?: Session["status"] };
const NONE: Filters = { sensorId: "", status: "", from: "", to: "", cursor: "" };
/** Room before and behind a session in its chart, in ms. */
const ROOM_MS = 2_000;

/** One session with what was measured in it. */
interface Detail {
  readonly session: Session;
  readonly from: number;
  readonly to: number;
  readonly history: History;
  readonly activity: Listed<ActivityStretch>;
}

function address(filters: Partial<Filters>): string {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== "")).toString();
  return `#/sessions${query ? `?${query}` : ""}`;
}

/** The view of the sessions: a list with filters, or one of them. */
export class SessionsView implements View {
  readonly component = "processor";
  readonly source = "api";
  readonly #api: Api;
  readonly #root = byId("sessions-view");
  #sessionId = "";
  #filters = NONE;
  #list: List<Session> | null = null;
  #detail: Detail | null = null;
  #notice = "";
  #isVisible = false;

  constructor({ restUrl }: Config) {
    this.#api = apiAt(restUrl);
    // The length of an open session runs.
    setInterval(() => this.#render(), 1_000);
  }

  show(sessionId: string, query: URLSearchParams): void {
    const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""])) as unknown as Filters;
    if (JSON.stringify(filters) !== JSON.stringify(this.#filters)) this.#list = null;
    if (sessionId !== this.#sessionId) this.#detail = null;
    const isAnother = this.#isVisible && sessionId !== this.#sessionId;
    this.#isVisible = true;
    this.#filters = filters;
    this.#sessionId = sessionId;
    this.#notice = wrongFilter(filters);
    document.title = `${sessionId || "Sessions"} · Millrace`;
    this.#render();
    if (isAnother) this.#root.querySelector<HTMLElement>("h1")?.focus();
  }

  hide(): void {
    this.#isVisible = false;
  }

  async refresh(): Promise<void> {
    await (this.#sessionId === "" ? this.#readList() : this.#readDetail());
    this.#render();
  }

  async #readList(): Promise<void> {
    const asked = this.#filters;
    if (wrongFilter(asked) !== "") return;
    const given = FILTERS.filter((name) => asked[name] !== "").map((name) => {
      const value = asked[name];
      return [name, name === "from" || name === "to" ? String(Date.parse(value)) : value];
    });
    const query = { limit: PAGE, ...(Object.fromEntries(given) as Query) };
    try {
      const list = await answer(this.#api.GET("/sessions", { params: { query } }));
      if (asked === this.#filters) this.#list = list;
    } catch (error) {
      if (!(error instanceof RequestError) || error.status !== 400) throw error;
      this.#notice = "The API does not know this address: begin with the newest.";
    }
  }

  async #readDetail(): Promise<void> {
    const id = this.#sessionId;
    // What has ended changes only when late readings correct it.
    if (this.#detail && this.#detail.session.status === "ended") return;
    try {
      const session = await answer(this.#api.GET("/sessions/{sessionId}", { params: { path: { sessionId: id } } }));
      const [from, to] = [session.start - ROOM_MS, (session.end ?? Date.now()) + ROOM_MS];
      const [history, activity] = await Promise.all([
        this.#orNone(readWindows(this.#api, session.sensorId, from, to), { windows: [], everyMs: 0 }),
        this.#orNone(readActivity(this.#api, session.sensorId, from, to), { items: [], isCut: false }),
      ]);
      if (id === this.#sessionId) this.#detail = { session, from, to, history, activity };
    } catch (error) {
      if (!(error instanceof RequestError) || ![400, 404].includes(error.status)) throw error;
      this.#notice = `There is no session ${id}: its id is wrong, or it was merged into another, or it is too old.`;
    }
  }

  /** The sensor of a session may be gone, while the session is still there. */
  async #orNone<T>(reading: Promise<T>, none: T): Promise<T> {
    try {
      return await reading;
    } catch (error) {
      if (error instanceof RequestError && error.status === 404) return none;
      throw error;
    }
  }

  #render(): void {
    if (!this.#isVisible) return;
    render(
      <section class="content">
        {this.#notice !== "" && (
          <p class="notice" role="status">
            {this.#notice}
          </p>
        )}
        {this.#sessionId === "" ? this.#renderList() : this.#renderDetail()}
      </section>,
      this.#root,
    );
  }

  #renderList() {
    const { sensorId, status, from, to, cursor } = this.#filters;
    const list = this.#list;
    return (
      <section class="panel" aria-labelledby="sessions-title">
        <div class="aside-head">
          <h1 id="sessions-title" tabIndex={-1}>
            Sessions
          </h1>
          <span class="muted">newest first</span>
        </div>
        <form
          class="filters"
          role="search"
          // An address has another form than the one before: its fields begin anew.
          key={address(this.#filters)}
          onSubmit={(event) => {
            event.preventDefault();
            const form = new FormData(event.currentTarget);
            const read = (name: string): string => {
              const value = form.get(name);
              return typeof value === "string" ? value.trim() : "";
            };
            location.hash = address({
              sensorId: read("sensorId"),
              status: read("status"),
              from: read("from"),
              to: read("to"),
            });
          }}
        >
          <label>
            Sensor <input name="sensorId" type="search" maxLength={128} autocomplete="off" defaultValue={sensorId} />
          </label>
          <label>
            Status
            <select name="status" defaultValue={status}>
              <option value="">open and ended</option>
              {STATUSES.map((one) => (
                <option key={one} selected={one === status}>
                  {one}
                </option>
              ))}
            </select>
          </label>
          <label>
            From <input name="from" type="datetime-local" defaultValue={from} />
          </label>
          <label>
            To <input name="to" type="datetime-local" defaultValue={to} />
          </label>
          <button>Filter</button>
        </form>
        <SessionTable sessions={list?.items ?? []} label="List of sessions" />
        {list?.items.length === 0 && (
          <p class="muted hint">{list.next === null ? "None." : "None on this page: there are older ones."}</p>
        )}
        {list === null && this.#notice === "" && <p role="status">Reading …</p>}
        <p class="pages">
          {cursor !== "" && (
            <a class="target" href={address({ ...this.#filters, cursor: "" })}>
              Newest
            </a>
          )}
          {list !== null && list.next !== null && (
            <a class="target" href={address({ ...this.#filters, cursor: list.next })}>
              Older
            </a>
          )}
        </p>
      </section>
    );
  }

  #renderDetail() {
    const detail = this.#detail;
    return (
      <section class="panel" aria-labelledby="session-title" data-from="api">
        <div class="panel-head">
          <h1 id="session-title" tabIndex={-1}>
            {this.#sessionId}
          </h1>
          {detail && <span class={`status ${detail.session.status}`}>{detail.session.status}</span>}
          <a class="target" href={address(this.#filters)}>
            All sessions
          </a>
        </div>
        {detail ? <SessionDetail detail={detail} /> : this.#notice === "" && <p role="status">Reading …</p>}
      </section>
    );
  }
}

function SessionDetail({ detail: { session, from, to, history, activity } }: { readonly detail: Detail }) {
  const { sessionId, sensorId, start, end, samples, revision, warnings, supersedes } = session;
  const facts = {
    start: time(start),
    end: end === null ? "open" : time(end),
    length: lengthOf(session),
    readings: samples === null ? "…" : amount(samples),
    revision: revision === null ? "…" : String(revision),
  };
  return (
    <>
      <dl class="window figures">
        {Object.entries(facts).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {warnings.map(({ code, message }) => (
        <p key={code} class="warning">
          {message}
        </p>
      ))}
      <p class="links">
        <a class="target" href={storyAddress(sessionId)}>
          Story of the message that began it
        </a>{" "}
        <a class="target" href={`#/sensor/${sensorId}`}>{`Day of ${sensorId}`}</a>{" "}
        <a class="target" href={liveAddress([sensorId])}>
          Live charts
        </a>
      </p>
      {history.windows.length === 0 ? (
        <p class="muted hint">The API has windows of the last 24 hours: none is of this session. The lake has all.</p>
      ) : (
        <WindowCharts of={`session ${sessionId}`} history={history} from={from} to={to} />
      )}
      <h2>Activity</h2>
      <ActivityTimeline stretches={activity.items} from={from} to={to} />
      {session.activity && (
        <p>
          {Object.entries(session.activity)
            .toSorted(([, a], [, b]) => b - a)
            .map(([label, seconds]) => `${label.toLowerCase().replaceAll("_", " ")} ${seconds.toFixed(1)} s`)
            .join(", ")}
        </p>
      )}
      {supersedes.length > 0 && <p>{`It has swallowed ${supersedes.join(", ")}.`}</p>}
    </>
  );
}

/** What is wrong with what an address filters by; empty where nothing is. */
function wrongFilter({ sensorId, status, from, to }: Filters): string {
  if (sensorId !== "" && !SENSOR_ID.test(sensorId))
    return `${sensorId} is no sensor id: 1 to 128 of A-Z a-z 0-9 : _ - are expected.`;
  if (status !== "" && !STATUSES.includes(status)) return `${status} is no status: open or ended is expected.`;
  const [wrong] = [from, to].filter((text) => text !== "" && Number.isNaN(Date.parse(text)));
  return wrong === undefined ? "" : `${wrong} is no time: 2026-07-11T10:06 is expected.`;
}
