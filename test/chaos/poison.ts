import { gzipSync } from "node:zlib";
import { topics } from "../../domain/topics.ts";
import type { Stage } from "./stage.ts";

const row = [0, 0, 9.80665, 0, 0, 0];
const now = (): number => Date.now();
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Values that the contract refuses, each by another of its rules (docs/contracts.md). */
const values: readonly (() => Buffer)[] = [
  () => Buffer.alloc(0),
  () => Buffer.from([0xff, 0xfe, 0x00, 0x80]),
  () => Buffer.from("[".repeat(100_000)),
  () => gzipSync(json({ seq: 0, t: now(), hz: 100, samples: [row] })),
  () => json({ seq: -1, t: now(), hz: 100, samples: [row] }),
  () => json({ seq: 0, boot: "b".repeat(1_000), t: now(), hz: 100, samples: [row] }),
  () => json({ seq: 0, t: now(), hz: 1e-320, samples: [row, row] }),
  () => json({ seq: 0, t: now(), hz: 100, samples: [] }),
  () => json({ seq: 0, t: now(), hz: 100, samples: Array.from({ length: 1_001 }, () => row) }),
  () => json({ seq: 0, t: now(), hz: 100, samples: [[250, 0, 9.8, 250, 0, 0]] }),
  () => Buffer.from(`{"seq":0,"t":${now()},"hz":100,"samples":[[1e999,0,0,0,0,0]]}`),
  () => json({ seq: 0, t: now() / 1_000, hz: 100, samples: [row] }),
  () => json({ seq: 0, t: now() + 86_400_000, hz: 100, samples: [row] }),
  () => json({ seq: 0, t: [now() + 1, now()], samples: [row, row] }),
  () => json({ __proto__: null, seq: 0, t: now(), hz: 100, samples: { length: 1 } }),
];

/** Appends one record of each kind. Each has a sensor of its own, whose dead letter is expected. @returns How many */
export async function producePoison({ kafka, appended }: Stage): Promise<number> {
  const round = Object.keys(appended).length;
  const messages = values.map((value, i) => ({ key: `poison-${round}-${i}`, value: value() }));
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  try {
    await producer.send({ topic: topics.imuData.name, messages });
  } finally {
    await producer.disconnect();
  }
  for (const { key } of messages)
    appended[key] = { messages: 0, samples: 0, late: 0, duplicates: 0, corrupt: 1, executions: [] };
  return messages.length;
}
