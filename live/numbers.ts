const SCALES = [1e3, 1e5, 1e6, 1e7, 1e8];

/**
 * A double with few decimal digits that rounds to the same f32 (`Math.fround` of it is `f32`): 9.81, where a plain
 * conversion gives 9.8100004196167. Null for a number that is not finite, as JSON has none.
 */
export function shortDecimal(f32: number): number | null {
  if (!Number.isFinite(f32)) return null;
  for (const scale of SCALES) {
    const rounded = Math.round(f32 * scale) / scale;
    if (Math.fround(rounded) === f32) return rounded;
  }
  // Nine significant digits identify any f32 (IEEE 754-2019, 5.12.2).
  return Number(f32.toPrecision(9));
}
