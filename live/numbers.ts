const SCALES = [1e3, 1e5, 1e6, 1e7, 1e8];

/**
 * A double with few decimal digits that reads back as the same f32 (`Math.fround` of it gives `f32`): 9.81 where a
 * plain conversion gives 9.8100004196167. Not finite: null, as JSON has it.
 */
export function shortDecimal(f32: number): number | null {
  if (!Number.isFinite(f32)) return null;
  for (const scale of SCALES) {
    const rounded = Math.round(f32 * scale) / scale;
    if (Math.fround(rounded) === f32) return rounded;
  }
  // Nine significant digits tell any f32 apart (IEEE 754-2019, 5.12.2).
  return Number(f32.toPrecision(9));
}
