import { beforeEach, expect, test } from "@jest/globals";
import type { Post } from "../../ops/answer.ts";
import { letterPost, type SendLetter } from "../../ops/letters.ts";

const asked = { action: "send-again", id: "imu-data-all/3/17/0", log: { partition: 5, offset: 117 } };
const record = { topic: "imu-data-all", partition: 3, offset: 99 };

let calls: Parameters<SendLetter>[];
let result: Awaited<ReturnType<SendLetter>> | Error;
let post: Post;
beforeEach(() => {
  calls = [];
  result = { kind: "sent", record };
  post = letterPost((...call) => {
    calls.push(call);
    return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
  });
});

test("a letter is sent once for its key, and the key is noted with it", async () => {
  const answers = [await post(asked, "key-00001"), await post(asked, "key-00001")];
  expect(answers).toEqual([
    { status: 200, body: record },
    { status: 200, body: record },
  ]);
  expect(calls).toEqual([[asked, "key-00001"]]);
});

test("a key is for one letter", async () => {
  await post(asked, "key-00001");
  const other = { ...asked, id: "imu-data-all/3/18/0", log: { partition: 5, offset: 118 } };
  expect(await post(other, "key-00001")).toMatchObject({ status: 422, body: { status: 422 } });
  expect(calls).toHaveLength(1);
});

test.each([
  [404, { kind: "absent", why: "there is none" } as const],
  [409, { kind: "refused", why: "it was sent again before" } as const],
])("%i says why it was not sent", async (status, given) => {
  result = given;
  const { why: detail } = given;
  const title = { 404: "Not Found", 409: "Conflict" }[status];
  const body = { type: "about:blank", title, status, detail };
  expect(await post(asked, "key-00001")).toEqual({ status, body });
});

test("a lost Kafka is 502, and the same key tries again", async () => {
  result = new Error("connect ECONNREFUSED");
  expect(await post(asked, "key-00001")).toMatchObject({
    status: 502,
    body: { detail: expect.stringMatching(/ECONNREFUSED.*give it again/) },
  });
  result = { kind: "sent", record };
  expect(await post(asked, "key-00001")).toEqual({ status: 200, body: record });
});

test.each([
  [{ ...asked, action: "delete" }, "action"],
  [{ ...asked, id: "" }, "id"],
  [{ ...asked, log: { partition: -1, offset: 0 } }, "log.partition"],
  [{ ...asked, log: { partition: 0 } }, "log.offset"],
  [{ ...asked, more: 1 }, "body"],
  ["text", "body"],
])("%j is refused", async (body, name) => {
  expect(await post(body, "key-00001")).toMatchObject({ status: 400, body: { detail: expect.stringContaining(name) } });
  expect(calls).toEqual([]);
});
