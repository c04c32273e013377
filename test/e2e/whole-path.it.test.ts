import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, jest, test } from "@jest/globals";
import type { Session } from "../../domain/api.ts";
import { openLake } from "../../local/lake/open.ts";
import { killOf } from "../chaos/faults.ts";
import { chaos } from "../chaos/run.ts";
import { eventually } from "../support/eventually.ts";
import { writeRecordings } from "./recordings.ts";

jest.setTimeout(900_000);
const PATIENT_MS = 120_000;

const folder = mkdtempSync(join(tmpdir(), "millrace-e2e-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("sessions, windows, REST and lake have every sample once, while every program and server is killed", async () => {
  const recordings = join(folder, "recordings");
  const samplesOf = writeRecordings(recordings, 2, 4);
  const result = await chaos(
    {
      home: join(folder, "home"),
      simulator: [
        "--data",
        recordings,
        "--once",
        "--faults",
        "duplicate=0.1,corrupt=0.02,disconnect=0.01",
        "--seed",
        "7",
      ],
      faults: [
        "processor",
        "bridge",
        "live",
        "event-source",
        "kafka",
        "mqtt",
        "dynamodb",
        "mongodb",
        "firehose",
        "gateway",
      ].map(killOf),
      withBrokers: false,
      random: Math.random,
      pauseMs: 500,
      onProgress: () => undefined,
    },
    async ({ ports, published, home }) => {
      // The store and the lake follow Kafka with a delay.
      await eventually(
        async () => {
          const stored: string[] = [];
          for (let cursor = ""; ;) {
            const page = (await (
              await fetch(`http://127.0.0.1:${ports["api"]}/sessions?limit=5&status=ended${cursor}`)
            ).json()) as { items: Session[]; next: string | null };
            stored.push(
              ...page.items.map(({ sensorId, start, end, samples }) => `${sensorId} ${start} ${end} ${samples}`),
            );
            if (page.next === null) break;
            cursor = `&cursor=${encodeURIComponent(page.next)}`;
          }
          const expected = Object.entries(published).flatMap(([sensorId, { executions }]) =>
            executions.map(({ start, end, samples }) => `${sensorId} ${start} ${end} ${samples}`),
          );
          expect(stored.sort()).toEqual(expected.sort());
        },
        { limitMs: PATIENT_MS },
      );
      await eventually(
        async () => {
          const lake = await openLake(join(home, "data", "lake"));
          const rows = (
            await lake.runAndReadAll(
              `SELECT sensor_id, CAST(sum(n) AS DOUBLE) AS samples
             FROM (SELECT sensor_id, window_start, max_by(count, revision) AS n FROM aggregated_exact GROUP BY ALL)
             GROUP BY sensor_id ORDER BY sensor_id`,
            )
          ).getRowObjectsJS();
          lake.closeSync();
          expect(rows).toEqual(
            Object.entries(published)
              .map(([sensor_id, { samples }]) => ({ sensor_id, samples }))
              .sort((a, b) => (a.sensor_id < b.sensor_id ? -1 : 1)),
          );
        },
        { limitMs: PATIENT_MS },
      );
      // Each execution has exactly the samples of its file.
      const sent = Object.values(published).flatMap(({ executions }) =>
        executions.map(({ name, samples }) => [name, samples] as const),
      );
      expect(new Map(sent)).toEqual(samplesOf);
    },
  );
  expect(result.accounts).toMatchObject({ lost: 0, duplicated: 0, sessionsWrong: [], sessionsExpected: 16 });
  // A corrupt message has no identity: delivered again by MQTT, it is one more dead letter.
  expect(result.accounts.deadLetters).toBeGreaterThanOrEqual(result.accounts.deadLettersExpected);
  expect(result.replay.differences).toEqual([]);
  expect(result.replay.compared).toBeGreaterThan(100);
  expect(result.faults.length).toBeGreaterThan(3);
});
