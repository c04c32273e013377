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
 * Draws values as a line of at most four points for each column of pixels: the first, the least, the greatest and the
 * last in it, so that no peak is lost however many values there are. The line is broken where two values are further
 * apart than `gap`, and where one is no number.
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
  const column = { x: Number.NaN, low: 0, high: 0, last: 0 };
  let before = Number.NEGATIVE_INFINITY;
  const finish = (): void => {
    if (Number.isNaN(column.x)) return;
    if (column.low !== column.high) {
      pen.lineTo(column.x, column.low);
      pen.lineTo(column.x, column.high);
    }
    pen.lineTo(column.x, column.last);
    column.x = Number.NaN;
  };
  for (let i = 0; i < xs.length; i++) {
    const value = ys[i]!;
    const at = xs[i]!;
    if (Number.isNaN(value)) continue;
    const x = Math.round(left + (at - scaleX.min) * perX);
    const y = top + (scaleY.max - value) * perY;
    if (x !== column.x || at - before > gap) {
      finish();
      if (at - before > gap) pen.moveTo(x, y);
      else pen.lineTo(x, y);
      Object.assign(column, { x, low: y, high: y, last: y });
    } else {
      if (y < column.low) column.low = y;
      if (y > column.high) column.high = y;
      column.last = y;
    }
    before = at;
  }
  finish();
}
