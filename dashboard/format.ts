/** How the page writes figures and times. */

/** What stands where nothing is known. */
export const NOTHING = "–";

/** A price with about five significant digits, and two decimals at least. */
export function price(value: number | null | undefined, unit: string = "") {
  if (value == null) return NOTHING;
  const decimals = value === 0 ? 2 : Math.max(2, Math.min(8, 4 - Math.floor(Math.log10(Math.abs(value)))));
  return withUnit(value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: decimals }), unit);
}

/** One for all amounts: a list of sensors writes a hundred of them four times a second. */
const amounts = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

export function amount(value: number | null | undefined, unit: string = "") {
  return value == null ? NOTHING : withUnit(amounts.format(value), unit);
}

export function trades(value: number | null | undefined) {
  return amount(value, value === 1 ? "trade" : "trades");
}

/**
 * A time of today, with the date in front where it is another day's.
 *
 * @param ms Epoch ms.
 */
export function time(ms: number | null | undefined) {
  if (ms == null) return NOTHING;
  const date = new Date(ms);
  const clock = date.toLocaleTimeString();
  return isToday(date) ? clock : `${date.toLocaleDateString()} ${clock}`;
}

/** A length of time in ms, with its unit. */
export function duration(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function isToday(date: Date) {
  return date.toDateString() === new Date().toDateString();
}

function withUnit(text: string, unit: string) {
  return unit === "" ? text : `${text} ${unit}`;
}

export function tableCell(content: string | Node, className: string = "") {
  const cell = document.createElement("td");
  if (className) cell.className = className;
  cell.append(content);
  return cell;
}

/**
 * Terms with their figures.
 *
 * @param list A `dl`.
 */
export function showFigures(list: HTMLElement, entries: Record<string, string>) {
  list.replaceChildren(
    ...Object.entries(entries).map(([name, value]) => {
      const group = document.createElement("div");
      const term = document.createElement("dt");
      term.textContent = name;
      const definition = document.createElement("dd");
      definition.textContent = value;
      group.append(term, definition);
      return group;
    }),
  );
}
