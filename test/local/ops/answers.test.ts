import { expect, jest, test } from "@jest/globals";
import { MillraceError } from "../../../domain/errors.ts";
import { opsAnswers, type OpsOptions } from "../../../local/ops/answers.ts";
import type { Models } from "../../../ops/models.ts";

const records = jest.fn<OpsOptions["log"]["records"]>();
const log: OpsOptions["log"] = {
  topics: () => Promise.reject(new Error("connect ECONNREFUSED")),
  groups: () => new Promise(() => undefined),
  records,
};
const { gets } = opsAnswers({
  log,
  models: {} as Models,
  sendLetter: () => Promise.reject(new Error("no letter is sent here")),
  components: () => ({ atMs: 1, components: [], alarms: [] }),
  limit: 5,
});
const get = (path: string, query = "") => gets[path]!(new URLSearchParams(query));

test("records are asked for within their bounds", async () => {
  records.mockResolvedValue({ topic: "t", records: [], isComplete: true });
  await get("/ops/records", "topic=t");
  expect((await get("/ops/records", "topic=t&partition=3&before=17&limit=50")).status).toBe(200);
  expect(records.mock.calls).toEqual([
    ["t", { limit: 20 }],
    ["t", { limit: 50, partition: 3, before: 17 }],
  ]);
});

test.each([
  "",
  "topic=",
  "topic=a/b",
  "topic=t&limit=51",
  "topic=t&limit=0",
  "topic=t&partition=-1",
  "topic=t&x=1",
  "topic=t&topic=u",
  "topic=..",
])("%j is refused", async (query) => {
  expect(await get("/ops/records", query)).toMatchObject({ status: 400 });
});

test("what takes no parameters refuses each, and names it", async () => {
  for (const path of ["/ops/components", "/ops/topics", "/ops/groups", "/ops/openapi.json"])
    expect(await get(path, "x=1")).toMatchObject({
      status: 400,
      body: { detail: "x: is not a parameter here; there are none" },
    });
  expect((await get("/ops/components")).status).toBe(200);
});

test("a topic that is not there is 404, a lost Kafka 502, and one that hangs 504", async () => {
  records.mockRejectedValue(new MillraceError("arguments-invalid", "no such topic"));
  expect(await get("/ops/records", "topic=t")).toMatchObject({ status: 404, body: { detail: "no such topic" } });
  const lost = { detail: "Kafka can't be read: connect ECONNREFUSED" };
  expect(await get("/ops/topics")).toMatchObject({ status: 502, body: lost });
  expect(await get("/ops/groups")).toMatchObject({ status: 504 });
});
