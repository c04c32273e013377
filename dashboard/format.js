/** How the page writes figures and times. */

/** What stands where nothing is known. */
export const NOTHING = "–";

/**
 * A price with about five significant digits, and two decimals at least.
 *
 * @param {number | null | undefined} value
 * @param {string} [unit]
 */
export function price(value, unit = "") {
  if (value == null) return NOTHING;
  const decimals = value === 0 ? 2 : Math.max(2, Math.min(8, 4 - Math.floor(Math.log10(Math.abs(value)))));
  return withUnit(value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: decimals }), unit);
}

/**
 * @param {number | null | undefined} value
 * @param {string} [unit]
 */
export function amount(value, unit = "") {
  return value == null ? NOTHING : withUnit(value.toLocaleString(undefined, { maximumFractionDigits: 2 }), unit);
}

/** @param {number | null | undefined} value */
export function trades(value) {
  return amount(value, value === 1 ? "trade" : "trades");
}

/**
 * A time of today, with the date in front where it is another day's.
 *
 * @param {number | null | undefined} ms Epoch ms.
 */
export function time(ms) {
  if (ms == null) return NOTHING;
  const date = new Date(ms);
  const clock = date.toLocaleTimeString();
  return isToday(date) ? clock : `${date.toLocaleDateString()} ${clock}`;
}

/** @param {Date} date */
function isToday(date) {
  return date.toDateString() === new Date().toDateString();
}

/** @param {string} text @param {string} unit */
function withUnit(text, unit) {
  return unit === "" ? text : `${text} ${unit}`;
}

/** @param {string | Node} content @param {string} [className] */
export function tableCell(content, className = "") {
  const cell = document.createElement("td");
  if (className) cell.className = className;
  cell.append(content);
  return cell;
}

/**
 * Terms with their figures.
 *
 * @param {HTMLElement} list A `dl`.
 * @param {Record<string, string>} entries
 */
export function showFigures(list, entries) {
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
