/** The classes of data. Each has a key of its own, so that a right to read one class is no right to read another. */
export const dataClasses = {
  readings: "the lake, its delivery streams, the feature store, and event buses with their queues",
  state: "checkpoints, connections, device registry, sessions and models",
  secrets: "passwords",
  operations: "logs, alarms and queues of what failed",
} as const;
export type DataClass = keyof typeof dataClasses;
