/** Of JSON.parse source text access (ES2026), what Node has and TypeScript's library does not know yet. */
const sources = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
};

/** A number in JSON (RFC 8259, section 6). */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Parses JSON so that `JSON.stringify` gives each number back as it stood in the text: `1.10` stays, and so does an
 * integer beyond 2^53. Numbers are objects in the result. (White space goes, and of a repeated name the last stays.)
 *
 * @throws SyntaxError when the text is not JSON
 */
export function parseVerbatim(text: string): unknown {
  return sources.parse(text, (_, value, { source }) => (typeof value === "number" ? sources.rawJSON(source!) : value));
}

/** A text that is a number in JSON, for `JSON.stringify` to write as it stands; undefined for any other text. */
export function verbatimNumber(text: string): unknown {
  return NUMBER.test(text) ? sources.rawJSON(text) : undefined;
}
