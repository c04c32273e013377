/** A small graph of the last quarter of an hour, as SVG. */

const WIDTH = 400;
const HEIGHT = 110;
/** Room for the figures at the left and the times below. */
const LEFT = 44;
const BOTTOM = 14;
const TOP = 6;
/** A graph begins at zero, and ends above what it shows by this much. */
const HEADROOM = 1.15;
const MINUTE_MS = 60_000;

export type Graph = {
  title: string;
  unit: string;
  good: string;
  limit: { value: number; severity: string; comparison: string } | null;
  lines: { label: string; points: (number | null)[] }[];
};

export function figure(value: number) {
  return new Intl.NumberFormat("en-US", {
    notation: value >= 10_000 ? "compact" : "standard",
    maximumSignificantDigits: 3,
  }).format(value);
}

function svg(name: string, attributes: Record<string, string | number>, text?: string) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/**
 * Draws a graph. The threshold of its alarm is a line where it is not far above all values; it is in the text anyway.
 *
 * @param stepMs Time between two points.
 * @param points Points of the whole width.
 */
export function drawGraph({ title, lines, limit }: Graph, stepMs: number, points: number) {
  const values = lines.flatMap((line) => line.points.filter((value) => value !== null));
  const highest = Math.max(0, ...values);
  const near = limit !== null && limit.value > 0 && (limit.comparison.startsWith("<") || limit.value <= 4 * highest);
  const top = Math.max(highest, near ? limit.value : 0, Number.MIN_VALUE) * HEADROOM;
  const right = WIDTH - 4;

  const y = (value: number) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  /** @param back Points before the newest. */
  const x = (back: number) => right - (back * (right - LEFT)) / (points - 1);
  const image = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  for (const value of [0, highest]) {
    image.append(svg("line", { x1: LEFT, x2: right, y1: y(value), y2: y(value), class: "grid" }));
    image.append(svg("text", { x: LEFT - 4, y: y(value) + 3, class: "value" }, figure(value)));
  }
  for (let minutes = 0; minutes <= 15; minutes += 5) {
    const at = x(Math.min(points - 1, (minutes * MINUTE_MS) / stepMs));
    image.append(
      svg(
        "text",
        { x: at, y: HEIGHT - 2, class: minutes === 0 ? "time now" : "time" },
        minutes === 0 ? "now" : `−${minutes} min`,
      ),
    );
  }
  if (near) image.append(svg("line", { x1: LEFT, x2: right, y1: y(limit.value), y2: y(limit.value), class: "limit" }));
  lines.forEach((line, i) => {
    let path = "";
    line.points.forEach((value, at) => {
      const before = line.points[at - 1];
      if (value === null) return;
      path += `${before == null ? "M" : "L"}${x(line.points.length - 1 - at).toFixed(1)} ${y(value).toFixed(1)}`;
    });
    image.append(svg("path", { d: path, class: `line line-${i}` }));
  });
  return image;
}
