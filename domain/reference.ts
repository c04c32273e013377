import { z } from "zod";
import { CURRENCY, severities, SYMBOL, tradeLimits } from "./market.ts";

/** Headers of a `reference` control record: the version, which part of it, of how many, and the part's text. */
export const referenceHeaders = {
  version: "reference-version",
  part: "part",
  parts: "parts",
  text: "reference",
} as const;

/** A version of the reference data is named in at most so many characters. */
export const REFERENCE_VERSION = /^[A-Za-z0-9:_.-]{1,64}$/;
/** Bytes of a part's text in UTF-8, at most. */
export const MAX_PART_BYTES = 256 * 1_024;
/** Parts of a version, at most. */
export const MAX_PARTS = 16;
/** Rules of a version, at most. */
export const MAX_RULES = 100;

const symbols = z.array(z.string().regex(SYMBOL)).optional().describe("only these symbols; all when absent");
const rule = {
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/)
    .describe("unique in the version; alerts name it"),
  severity: z.enum(severities),
};

/** A compliance rule. */
export const complianceRule = z.discriminatedUnion("kind", [
  z.strictObject({ ...rule, kind: z.literal("restricted-symbol"), symbols: z.array(z.string().regex(SYMBOL)) }),
  z.strictObject({ ...rule, kind: z.literal("trade-amount"), maxUsd: z.number().positive(), symbols }),
  z.strictObject({
    ...rule,
    kind: z.literal("price-deviation"),
    maxPercent: z.number().positive().describe("how far a price may be from the last close, in percent of it"),
    symbols,
  }),
  z.strictObject({
    ...rule,
    kind: z.literal("account-rate"),
    maxTrades: z.int().min(1).describe("trades of an account in a symbol in a minute of event time"),
    symbols,
  }),
]);
export type ComplianceRule = z.infer<typeof complianceRule>;

/** A version of the reference data. */
export const reference = z.strictObject({
  version: z.string().regex(REFERENCE_VERSION, "1 to 64 of A-Z a-z 0-9 : _ . - are expected"),
  rates: z
    .record(z.string().regex(CURRENCY), z.number().positive().max(tradeLimits.figure))
    .default({})
    .describe("US dollars for one unit of a currency"),
  flags: z
    .record(z.string().regex(SYMBOL), z.array(z.string().min(1).max(64)).max(16))
    .default({})
    .describe("flags of a symbol, which enriched trades have"),
  rules: z
    .array(complianceRule)
    .max(MAX_RULES)
    .default([])
    .refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, "two rules have the same name"),
});
export type Reference = z.infer<typeof reference>;

/** Why a text is no reference data, each problem as a sentence; or the data. */
export function readReference(text: string): { readonly data: Reference } | { readonly problems: readonly string[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { problems: [`it is not JSON: ${(error as Error).message}`] };
  }
  const read = reference.safeParse(json);
  if (read.success) return { data: read.data };
  return { problems: read.error.issues.map(({ path, message }) => `${path.join(".") || "the data"}: ${message}`) };
}

/** Cuts a text into parts of at most `maxBytes` bytes in UTF-8, between characters. */
export function partsOf(text: string, maxBytes: number = MAX_PART_BYTES): string[] {
  const parts: string[] = [];
  let part = "";
  let bytes = 0;
  for (const character of text) {
    const size = Buffer.byteLength(character);
    if (bytes + size > maxBytes) {
      parts.push(part);
      part = "";
      bytes = 0;
    }
    part += character;
    bytes += size;
  }
  return [...parts, part];
}
