/** What the estimate assumes beside the workload, in words. */
export const assumptions = [
  "a month has 730 hours; sensors send all the time; prices without free tiers, discounts and taxes",
  "IoT Core meters a QoS 1 message three times: published, delivered to the bridge, acknowledged by the bridge; " +
    "each in units of 5 KB",
  "every topic is read by its consumers once: processor, live, lake, features, stores; " +
    "topics keep what their retention says",
  "windows of one second: one window record a sensor and second, one inference a sensor and second",
  "the processor's tasks run at their least number, or at what the rate needs at 200,000 readings a second and task",
  "a function is invoked when an event's batching window has passed, or it is full; an invocation takes 20 ms and " +
    "0.4 ms a record, of the function's memory; an event poller takes 5 MB/s, and four share a unit",
  "the feature store gets the newest window of each sensor in an event, and the newest bar of each symbol",
  "the rows of an event are packed into records of Firehose, of 500 rows or 1,000 KiB at most; ingest and " +
    "conversion are billed by the record, in units of 5 KB, partitioning by the row's own bytes; " +
    "jq takes a millisecond a row",
  "the lake's objects spend their first days in S3 Standard and then in Glacier Instant Retrieval; " +
    "Parquet is a third of JSON; one month of data",
  "a schedule starts a task for the lake's small files each hour, which takes three minutes, and six requests a " +
    "table; who signs in is one active user of Cognito in the month, and so is the user of each smoke test",
  "the document database runs at its least capacity plus 1 DCU for every 500 windows, bars or positions written a " +
    "second",
  "each partition of an input gets a tick a second; " +
    "sessions, alerts, late readings and dead letters are too few to count",
  "a trade is 300 bytes, and one event of the bus; each is enriched and changes a position; two bars a symbol and " +
    "minute; the audit reads every output but the transformed samples",
  "snapshots: 4 KB a sensor every 10 s, compressed; logs: 1 GB a month and task, and what their metrics add; " +
    "a WebSocket viewer gets 10 messages a second",
  "between zones and out to the internet nothing is counted but NAT",
] as const;
