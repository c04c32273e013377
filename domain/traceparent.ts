/** A traceparent of version 00 (W3C Trace Context, section 3.2.2). Neither id may be zeros alone. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Whether the text is a valid traceparent of version 00. */
export function isTraceparent(text: string): boolean {
  return TRACEPARENT.test(text);
}

/** A new, sampled traceparent from 24 random bytes. */
export function newTraceparent(random: Buffer): string {
  return `00-${random.toString("hex", 0, 16)}-${random.toString("hex", 16, 24)}-01`;
}

/** Id of a traceparent's trace, 32 hex digits: how log lines name a record. Null for an absent or invalid one. */
export function traceIdOf(traceparent: string | undefined): string | null {
  return traceparent !== undefined && isTraceparent(traceparent) ? traceparent.slice(3, 35) : null;
}
