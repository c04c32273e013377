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
  // The column that is being read, its extremes, and which of them came first. Plain variables: this runs for every
  // reading of every line, thirty times a second.
  let columnX = Number.NaN;
  let low = 0;
  let high = 0;
  let isLowFirst = true;
  let isBroken = true;
  let before = Number.NEGATIVE_INFINITY;
  const finish = (): void => {
    const first = isLowFirst ? low : high;
    if (isBroken) pen.moveTo(columnX, first);
    else pen.lineTo(columnX, first);
    if (low !== high) pen.lineTo(columnX, isLowFirst ? high : low);
    isBroken = false;
  };
  for (let i = 0; i < xs.length; i++) {
    const value = ys[i]!;
    const at = xs[i]!;
    if (Number.isNaN(value)) continue;
    const x = Math.round(left + (at - scaleX.min) * perX);
    const y = top + (scaleY.max - value) * perY;
    const isApart = at - before > gap;
    if (x !== columnX || isApart) {
      if (!Number.isNaN(columnX)) finish();
      isBroken ||= isApart;
      columnX = x;
      low = high = y;
    } else if (y < low) {
      low = y;
      isLowFirst = false;
    } else if (y > high) {
      high = y;
      isLowFirst = true;
    }
    before = at;
  }
  if (!Number.isNaN(columnX)) finish();
}
