import type { ComplianceRule, Reference } from "../../../domain/reference.ts";
import { reference } from "../../../domain/reference.ts";

type Headers = Readonly<Record<string, string>>;
const MAX_PART_BYTES = 256 * 1024;
const MAX_PARTS = 16;

/** The reference data of a partition, as control records put it in force. */
export class ReferenceData {
  private inForce: Reference | null = null;
  /** Texts of the version that is under way, in their order. */
  private under: { readonly version: string; readonly parts: number; readonly texts: string[] } | null = null;

  get version(): string | null {
    return this.inForce?.version ?? null;
  }

  get rules(): readonly ComplianceRule[] {
    return this.inForce?.rules ?? [];
  }

  flags(symbol: string): readonly string[] {
    return this.inForce?.flags[symbol] ?? [];
  }

  usd(amount: number | undefined, currency: string): number | null {
    const rate = currency === "USD" ? 1 : this.inForce?.rates[currency];
    const usd = amount === undefined || rate === undefined ? null : amount * rate;
    // No sum of amounts overflows.
    return usd !== null && usd <= 1e200 ? usd : null;
  }

  /** Takes a control record; false when it breaks the contract. */
  take(headers: Headers): boolean {
    const version = headers["reference-version"];
    const part = Number(headers["part"]);
    const parts = Number(headers["parts"]);
    const text = headers["reference"];
    const isWhole = (x: number, min: number, max: number): boolean => Number.isInteger(x) && x >= min && x <= max;
    if (version === undefined || text === undefined || Buffer.byteLength(text) > MAX_PART_BYTES) return false;
    if (!isWhole(parts, 1, MAX_PARTS) || !isWhole(part, 0, parts - 1)) return false;
    if (part === 0) this.under = { version, parts, texts: [] };
    const { under } = this;
    if (under === null || under.version !== version || under.parts !== parts || under.texts.length !== part)
      return false;
    under.texts.push(text);
    if (part + 1 < parts) return true;
    const read = readText(under.texts.join(""));
    this.under = null;
    if (read === null || read.version !== version) return false;
    this.inForce = read;
    return true;
  }
}

function readText(text: string): Reference | null {
  try {
    return reference.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
