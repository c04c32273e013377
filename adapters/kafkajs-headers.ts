import Decoder from "kafkajs/src/protocol/decoder.js";

/** A header as kafkajs decodes it. */
interface Header {
  readonly key: string;
  readonly value: Buffer | null;
}

const ORDERED = Symbol("headers in order");
const readArray = Decoder.prototype.readVarIntArray;

/**
 * Makes kafkajs keep the order of a record's headers. It gives headers by name, so that of `a, b, a` the order is lost,
 * and names that look like numbers come first. Only headers are read by this function; kafkajs then reduces them to an
 * object, which here gets the list, too.
 */
Decoder.prototype.readVarIntArray = function readHeaders(
  this: Decoder,
  read: (decoder: Decoder) => unknown,
): unknown[] {
  const headers = readArray.call(this, read);
  const reduce = (
    step: (before: object, header: unknown, i: number, all: unknown[]) => object,
    first: object,
  ): object =>
    Object.defineProperty(Array.prototype.reduce.call(headers, step as never, first) as object, ORDERED, {
      value: headers,
    });
  return Object.defineProperty(headers, "reduce", { value: reduce });
};

/** The headers of a message that kafkajs has read, in order. */
export function headersInOrder(headers: object | undefined): (readonly [name: string, value: Buffer | null])[] {
  const list = (headers as { readonly [ORDERED]?: readonly Header[] } | undefined)?.[ORDERED] ?? [];
  return list.map(({ key, value }) => [key, value] as const);
}
