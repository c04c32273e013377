import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { topics } from "../../domain/topics.ts";
import type { LogRecord } from "./log.ts";
import { productRun } from "./product.ts";
import { holds, PROPERTY_TIMEOUT_MS } from "./property.ts";
import { data, exampleSettings, numbered } from "./rules/rule.ts";

/** Nothing is late, and no gap is given up. */
const patient = { ...exampleSettings, outOfOrdernessMs: 100_000, sessionGapMs: 100_000 };

/** Messages of one sensor, the first ahead of all others, and the order in which they arrive. */
const scattered = fc
  .array(
    fc.record({
      rows: fc.array(fc.array(fc.double({ min: -70, max: 70, noNaN: true }), { minLength: 6, maxLength: 6 }), {
        minLength: 1,
        maxLength: 5,
      }),
      turn: fc.nat(1000),
    }),
    { minLength: 2, maxLength: 25 },
  )
  .map((messages) => {
    const sent = messages.map(({ rows }, seq) =>
      data(
        "s",
        seq,
        rows.map((_, i) => seq * 100 + i * 10),
        { at: 10_000, samples: rows },
      ),
    );
    const turns = messages
      .map(({ turn }, seq) => ({ turn: seq === 0 ? -1 : turn, seq }))
      .sort((a, b) => a.turn - b.turn);
    return { sent: numbered(sent), arrived: numbered(turns.map(({ seq }) => sent[seq]!)) };
  });

async function transformed(log: readonly LogRecord[]): Promise<object[]> {
  const { outputs } = await productRun(log, patient, true);
  return outputs
    .filter((output) => output.topic === topics.transformed.name)
    .map((output) => ({ ...(output.value as object), id: "" }));
}

test(
  "transformed records, the acceleration without gravity included, do not depend on the order of arrival",
  async () => {
    await holds(
      scattered,
      200,
      ({ arrived }) =>
        JSON.stringify(arrived.map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as unknown)),
      async ({ sent, arrived }) => {
        const [inOrder, scrambled] = [await transformed(sent), await transformed(arrived)];
        if (inOrder.length !== sent.length) return `${inOrder.length} of ${sent.length} messages were transformed`;
        try {
          expect(scrambled).toEqual(inOrder);
        } catch (error) {
          return (error as Error).message;
        }
        return undefined;
      },
    );
  },
  PROPERTY_TIMEOUT_MS,
);
