import { defaultSemantics, type Semantics } from "../domain/imu.ts";

/** The domain's defaults with what an environment overrides. */
export function semanticsOf(overrides: Partial<{ [K in keyof Semantics]: Semantics[K] | undefined }>): Semantics {
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
  return { ...defaultSemantics, ...Object.fromEntries(given) };
}
