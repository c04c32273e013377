import RequestQueue from "kafkajs/src/network/requestQueue/index.js";

const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;

/**
 * Makes kafkajs check for waiting requests only while some wait.
 *
 * In kafkajs 2.2.4 each connection schedules its next check with a negative delay, about 700 times a second, for ever
 * (tulios/kafkajs#1704), and Node 24 warns about negative delays (tulios/kafkajs#1751). No check is lost: kafkajs also
 * schedules one when a request has to wait.
 */
RequestQueue.prototype.scheduleCheckPendingRequests = function scheduleIfNeeded(this: RequestQueue): void {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
};
