/** Where a chart draws and what it shows there: `x` and `y` in units of the data, the box in pixels of the canvas. */
export interface ChartArea {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly x: { readonly min: number; readonly max: number };
  readonly y: { readonly min: number; readonly max: number };
}

/** What a path is drawn on: a `Path2D`. */
export interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

/** Extremes that are closer together than this are one point, in pixels. */
const VISIBLE = 0.5;

/**
 * Draws values as a line of at most two points for each column of pixels: the least and the greatest in it, in their
 * order, so that no peak is lost however many values there are. The line is broken where two values are further apart
 * than `gap`, and where one is no number.
 *
 * @param xs Not decreasing.
 * @param gap In units of `xs`.
 */
export function drawLine(
  pen: Pen,
  xs: ArrayLike<number>,
  ys: ArrayLike<number>,
  { left, top, width, height, x: scaleX, y: scaleY }: ChartArea,
  gap: number,
): void {
  const perX = width / (scaleX.max - scaleX.min);
  const perY = height / (scaleY.max - scaleY.min);
  let before = Number.NEGATIVE_INFINITY;
  let isFirst = true;
  // This runs for every reading of every line, thirty times a second: the inner loop compares, and nothing else. No
  // function closes over its variables, because they would be objects then.
  for (let i = 0; i < xs.length;) {
    const at = xs[i]!;
    const value = ys[i]!;
    i++;
    if (Number.isNaN(value)) continue;
    const x = Math.round(left + (at - scaleX.min) * perX);
    const end = scaleX.min + (x + 0.5 - left) / perX;
    const isBroken = isFirst || at - before > gap;
    let low = value;
    let high = value;
    let isLowFirst = true;
    for (before = at; i < xs.length; i++) {
      const next = xs[i]!;
      if (next >= end || next - before > gap) break;
      const other = ys[i]!;
      if (Number.isNaN(other)) continue;
      if (other < low) {
        low = other;
        isLowFirst = false;
      } else if (other > high) {
        high = other;
        isLowFirst = true;
      }
      before = next;
    }
    const y = top + (scaleY.max - (isLowFirst ? low : high)) * perY;
    if (isBroken) pen.moveTo(x, y);
    else pen.lineTo(x, y);
    if ((high - low) * perY >= VISIBLE) pen.lineTo(x, top + (scaleY.max - (isLowFirst ? high : low)) * perY);
    isFirst = false;
  }
}
