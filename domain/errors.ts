/** Why a record is in the dead-letter topic: header `error-code`. */
export const deadLetterCodes = {
  "invalid-sensor-id": "The MQTT topic is not `imu/{sensorId}` with a sensor id of [A-Za-z0-9:_-]{1,128}.",
  "invalid-symbol": "The record's key and the trade's symbol are not the same [A-Z0-9.:_-]{1,32}.",
  "payload-too-large": "The payload is larger than the contract allows: 128 KB of readings, 256 KB of a trade.",
  "refused-by-kafka": "Kafka refuses the record, by its size or by what is in it, and would refuse it again.",
  "unknown-content-type": "The content type is neither application/json nor application/x-millrace-imu.",
  "invalid-json": "The payload is not JSON (RFC 8259) in UTF-8.",
  "invalid-packed": "The payload does not follow the packed layout.",
  "invalid-message": "A field is missing, has the wrong type, or contradicts another one.",
  "out-of-range": "A number is outside the range that the contract allows.",
  "too-many-samples": "A message has 1 to 1,000 samples; this one has more.",
  "event-from-the-future": "A sample's time is further ahead of the record's timestamp than the future guard allows.",
  "event-too-old": "A sample's time is before the earliest time that the settings allow.",
  "sequence-unknown":
    "The sequence number is below the floor, or its boot was let go: it can't be told whether it was counted.",
  "sequence-reused":
    "The sequence number was seen, but its samples are newer than all others: the device restarted without a new boot.",
  "identity-reused": "A trade with this id was accepted, and this one has other content.",
  "model-refused":
    "The model of this control record is not in the store, or does not fit its manifest: the models before it " +
    "continue to score.",
  "processing-failed": "Millrace's own code failed on this record.",
  "state-failed":
    "Millrace's own code failed when what a sensor had open fired: its state was dropped, as at an expiry.",
  "output-too-large": "An output is larger than its topic may take: it was left out, and the message has its id.",
} as const;

/** Those that the bridge gives. */
export const bridgeCodes: readonly DeadLetterCode[] = ["invalid-sensor-id", "payload-too-large", "refused-by-kafka"];

export type DeadLetterCode = keyof typeof deadLetterCodes;

/** Named errors: each stops a program or a task, and says what was received and what to do. */
export const errorCodes = {
  "config-invalid": "Settings are missing or wrong; every problem is listed.",
  "delivery-failed": "A version was not delivered to an environment; the message says what is deployed now.",
  "arguments-invalid": "The command line is wrong; every problem is listed.",
  "input-lost": "The log starts after the task's next offset: records were deleted before they were processed.",
  "input-undecodable": "A record batch of the input can't be decoded: nothing behind it is read.",
  "input-refused": "Kafka refuses to give the input: the topic or a permission is missing.",
  "replay-diverged": "Catching up from the snapshot did not reproduce the outputs that were committed.",
  "committed-by-other-code":
    "Catching up did not reproduce what other code has committed since the snapshot: the version that committed it " +
    "has to catch up.",
  "progress-missing": "There is a snapshot but no progress record.",
  "snapshot-ahead": "The snapshot covers more than the progress record says was committed.",
  "snapshot-corrupt": "A segment of the snapshot is missing or does not match its checksum.",
  "state-layout-unknown": "The snapshot was written with a state layout that this version cannot read.",
  "step-failed-again": "Our own code failed on a record, and again when it was to be dead-lettered.",
  "step-kills-process": "The process died in the step of the same record again and again.",
  "output-refused": "Kafka refuses what the task writes, and would refuse it again.",
  fenced: "Another owner has taken over this partition.",
  "outcome-unknown": "A commit may or may not have happened; the task starts again.",
  "prerequisite-missing": "A program that Millrace needs is not installed.",
  "port-taken": "A port that Millrace needs is in use.",
  "data-folder-broken": "The data folder can't be used.",
  "already-running": "Another start of Millrace uses this data folder.",
  "server-failed": "A local server ended at its start, or does not answer.",
  "control-unknown": "The log has a control record of a type or version that this program can't read.",
  "settings-unknown": "The state is from before settings stood in the log, and nothing says under which it was made.",
  "settings-refused": "Settings or reference data can't be changed so, or not now; the message says why.",
  "rescale-refused": "The number of partitions can't be changed now; the message says what has to be done first.",
  "erase-incomplete": "Not everything was erased in time; the message says what is left. Give the command again.",
  "backfill-refused":
    "The run has its name in use, has nothing to compute or to compare, or can't be filled, switched to or dropped " +
    "as it is; the message says what to do.",
  "compact-refused": "Files of the lake can't be joined; the message says why. Nothing was changed.",
  "restore-refused": "The lake can't be restored into this log; the message says why, and what to do.",
  "model-refused": "A model does not fit its manifest.",
  "on-aws-failed":
    "A command could not be run on AWS, or was stopped there; the message says what has to be done first.",
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error with a stable code; the message says what was received and what to do. */
export class MillraceError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "MillraceError";
    this.code = code;
  }
}
