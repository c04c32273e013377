import { expect, test } from "@jest/globals";
import { MillraceError } from "../../domain/errors.ts";
import { Stories } from "../../local/stories.ts";
import type { Story } from "../../processor/commands/trace/tell.ts";

const story: Story = {
  wanted: "sensor s1, seq 1",
  arrivals: [],
  letters: [],
  deliveries: [],
  neighbours: [],
  notes: [],
};
const ID = "imu-data-all/3/1234/0";

test("a story is what the command tells of the record, the session or the trace that is named", async () => {
  const asked: unknown[] = [];
  const stories = new Stories((wanted) => {
    asked.push(wanted);
    return Promise.resolve(story);
  });
  expect(await stories.answer(ID)).toEqual({ status: 200, body: story });
  expect((await stories.answer("s1@1657533977813")).status).toBe(200);
  expect(asked).toEqual([
    { kind: "record", topic: "imu-data-all", partition: 3, offset: 1_234 },
    { kind: "session", sessionId: "s1@1657533977813" },
  ]);
});

test.each(["", "nonsense", "--help", "--sensor=s1", `${"x".repeat(400)}/0/1`])("%j is refused", async (name) => {
  const stories = new Stories(() => Promise.reject(new Error("nothing is to be read")));
  expect(await stories.answer(name)).toMatchObject({ status: 400 });
});

test("one story is read at a time", async () => {
  const { promise, resolve } = Promise.withResolvers<Story>();
  const stories = new Stories(() => promise);
  const first = stories.answer(ID);
  expect(await stories.answer(ID)).toMatchObject({ status: 429, body: { detail: expect.stringContaining("another") } });
  resolve(story);
  expect((await first).status).toBe(200);
  expect((await stories.answer(ID)).status).toBe(200);
});

test("one that takes too long is ended, and the next one waits until it is", async () => {
  const { promise, reject } = Promise.withResolvers<Story>();
  let signal: AbortSignal | undefined;
  const stories = new Stories((_wanted, given) => {
    signal = given;
    return promise;
  }, 5);
  expect(await stories.answer(ID)).toMatchObject({ status: 504, body: { detail: expect.stringContaining("0.005 s") } });
  expect(signal?.aborted).toBe(true);
  expect((await stories.answer(ID)).status).toBe(429);
  reject(new Error("the connection was closed"));
  await promise.catch(() => undefined);
  expect((await stories.answer(ID)).status).not.toBe(429);
});

test("what is not there is said in the command's words, and a lost Kafka as that", async () => {
  const gone = new Stories(() => Promise.reject(new MillraceError("arguments-invalid", "it is not in the log")));
  expect(await gone.answer(ID)).toMatchObject({ status: 404, body: { detail: "it is not in the log" } });
  const lost = new Stories(() => Promise.reject(new Error("connect ECONNREFUSED")));
  expect(await lost.answer(ID)).toMatchObject({
    status: 502,
    body: { detail: "Kafka can't be read: connect ECONNREFUSED" },
  });
});
