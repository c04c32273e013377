import type { Sensor } from "./api.ts";
import { amount } from "./format.ts";
import { type Group } from "./groups.ts";
import { hearing, isLive } from "./hearing.ts";
import { moveFocus } from "./keys.ts";

/** Sensors in a page of the list. */
export const PAGE = 50;

/** What the list shows: those that were heard last, or all, by what their ids begin with. */
export type ListMode = "heard" | "all";

interface SensorListProps {
  readonly mode: ListMode;
  readonly wanted: string;
  /** Those that were heard last, in order. */
  readonly heard: readonly Sensor[];
  /** Whether there may be more than the API gives. */
  readonly isCut: boolean;
  readonly page: number;
  readonly groups: readonly Group[];
  /** All that were read, by id. */
  readonly all: ReadonlyMap<string, Sensor>;
  readonly isReading: boolean;
  readonly chosen: ReadonlySet<string>;
  readonly opened: ReadonlySet<string>;
  readonly onSearch: (text: string) => void;
  readonly onMode: (mode: ListMode) => void;
  readonly onPage: (page: number) => void;
  readonly onToggle: (sensorId: string) => void;
  readonly onOpen: (prefix: string, isOpen: boolean) => void;
}

/** The sensors to choose from. */
export function SensorList(props: SensorListProps) {
  const { mode, wanted, heard, isCut, page, onSearch, onMode, onPage } = props;
  const live = heard.filter(({ lastSeen }) => isLive(lastSeen)).length;
  const pages = Math.max(1, Math.ceil(heard.length / PAGE));
  const first = page * PAGE;
  return (
    <aside aria-label="Sensors">
      <div class="aside-head">
        <h2>Sensors</h2>
        <span id="sensor-count" class="muted">
          {mode === "heard"
            ? `${live} live of ${amount(heard.length)}${isCut ? " or more" : ""}`
            : `${amount(props.all.size)}${props.isReading ? ", reading …" : ""}`}
        </span>
      </div>
      <input
        type="search"
        placeholder="Find a sensor"
        aria-label="Find a sensor"
        autocomplete="off"
        maxLength={128}
        value={wanted}
        onInput={({ currentTarget }) => onSearch(currentTarget.value)}
      />
      <fieldset class="switch list-mode">
        <legend>Listed sensors</legend>
        <label>
          <input type="radio" name="list-mode" checked={mode === "heard"} onChange={() => onMode("heard")} />
          heard last
        </label>
        <label>
          <input type="radio" name="list-mode" checked={mode === "all"} onChange={() => onMode("all")} />
          all, in groups
        </label>
      </fieldset>
      {mode === "heard" ? (
        <>
          <Rows {...props} sensors={heard.slice(first, first + PAGE)} />
          {pages > 1 && (
            <nav class="pages" aria-label="Pages of sensors">
              <button type="button" disabled={page === 0} onClick={() => onPage(page - 1)}>
                Before
              </button>
              <span class="muted">{`${first + 1} – ${Math.min(first + PAGE, heard.length)}`}</span>
              <button type="button" disabled={page >= pages - 1} onClick={() => onPage(page + 1)}>
                Next
              </button>
            </nav>
          )}
        </>
      ) : (
        <div class="groups" data-from="api">
          {props.groups.map((group) => (
            <SensorGroup key={group.prefix} {...props} group={group} />
          ))}
        </div>
      )}
      {heard.length === 0 && wanted !== "" && <p class="muted hint">{`No sensor's id contains ${wanted}.`}</p>}
    </aside>
  );
}

function SensorGroup(props: SensorListProps & { readonly group: Group }) {
  const { prefix, ids } = props.group;
  const sensors = ids.flatMap((id) => props.all.get(id) ?? []);
  const live = sensors.filter(({ lastSeen }) => isLive(lastSeen)).length;
  const isOpen = props.opened.has(prefix) || props.groups.length === 1;
  return (
    <details open={isOpen} onToggle={({ currentTarget }) => props.onOpen(prefix, currentTarget.open)}>
      <summary>
        {`${prefix}${ids.length > 1 ? "…" : ""}`} <span class="muted">{`${live} live of ${ids.length}`}</span>
      </summary>
      {isOpen && <Rows {...props} sensors={sensors} />}
    </details>
  );
}

interface RowsProps extends Pick<SensorListProps, "chosen" | "onToggle"> {
  readonly sensors: readonly Sensor[];
}

/** Arrow keys, Home and End move between the rows. */
function Rows({ sensors, chosen, onToggle }: RowsProps) {
  return (
    <ul class="choices" data-from="api" onKeyDown={(event) => moveFocus(event, "button")}>
      {sensors.map(({ sensorId, lastSeen, samples, rejected }) => (
        <li key={sensorId}>
          <button
            type="button"
            data-name={sensorId}
            aria-pressed={chosen.has(sensorId)}
            title={`${amount(samples)} readings in its sessions, ${amount(rejected)} messages refused`}
            onClick={() => onToggle(sensorId)}
          >
            <b>{sensorId}</b> <span class={isLive(lastSeen) ? "heard-now" : ""}>{hearing(lastSeen)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
