/** Parts of kafkajs 2.2.4 for which it exports no types. */
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
