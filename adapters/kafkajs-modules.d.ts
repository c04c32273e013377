/** Parts of kafkajs 2.2.4 for which it exports no types. */
declare module "kafkajs/src/network/connection.js" {
  /** One connection to a broker. Opened by the first request, and again after it was closed. */
  export default class Connection {
    constructor(options: object);
    connect: (this: Connection) => Promise<boolean>;
    disconnect: (this: Connection) => Promise<boolean>;
  }
}

declare module "kafkajs/src/network/requestQueue/index.js" {
  /** Requests of one connection that wait to be sent. */
  export default class RequestQueue {
    constructor(options: object);
    /** Requests that wait because too many are in flight, or because the broker throttles the client. */
    readonly pending: readonly unknown[];
    /** Epoch milliseconds until which the broker throttles this client; −1 before it ever did. */
    readonly throttledUntil: number;
    scheduleCheckPendingRequests: (this: RequestQueue) => void;
  }
}

declare module "kafkajs/src/protocol/decoder.js" {
  /** Reads a response. */
  export default class Decoder {
    constructor(bytes: Buffer);
    readInt8(): number;
    readInt16(): number;
    readInt32(): number;
    /** A 64-bit integer of kafkajs. */
    readInt64(): { toString(): string };
    readString(): string | null;
    readArray<T>(read: (decoder: Decoder) => T): T[];
    readVarIntArray: (this: Decoder, read: (decoder: Decoder) => unknown) => unknown[];
  }
}

declare module "kafkajs/src/protocol/encoder.js" {
  /** Writes a request. */
  export default class Encoder {
    readonly buffer: Buffer;
    writeInt8(value: number): this;
    writeInt32(value: number): this;
    writeBoolean(value: boolean): this;
    writeString(value: string): this;
    writeArray(elements: readonly Encoder[]): this;
  }
}
