import RequestQueue from "kafkajs/src/network/requestQueue/index.js";

const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;

/**
 * Makes kafkajs look at waiting requests only when some wait. As it comes (2.2.4), each connection schedules its next
 * look with a negative delay, about 700 times a second for ever (tulios/kafkajs#1704), and Node 24 warns of each
 * negative delay (tulios/kafkajs#1751). Nothing is lost: kafkajs schedules a look when a request has to wait.
 */
RequestQueue.prototype.scheduleCheckPendingRequests = function scheduleIfNeeded(this: RequestQueue): void {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
};
