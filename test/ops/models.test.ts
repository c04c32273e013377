import { beforeEach, expect, test } from "@jest/globals";
import { MillraceError } from "../../domain/errors.ts";
import { Models } from "../../ops/models.ts";
import type { ModelCommand } from "../../processor/commands/model/arguments.ts";
import type { StoredModel } from "../../processor/commands/model/stored-models.ts";

const stored = (version: string, stage: StoredModel["stage"]): StoredModel => ({
  name: "activity",
  version,
  stage,
  sha256: "ab",
});
const score = (version: string, agrees: boolean): Uint8Array =>
  Buffer.from(
    JSON.stringify({
      id: "imu-data-all/3/1234/0",
      schema: 1,
      sensorId: "s1",
      window: { start: 0, end: 1_000 },
      model: { name: "activity", version: "1" },
      label: "walk",
      probabilities: { walk: 1 },
      shadow: { model: { name: "activity", version }, label: agrees ? "walk" : "sit", agrees },
    }),
  );

let done: [ModelCommand, string][];
let failure: Error | null;
let list: StoredModel[];
let models: Models;
beforeEach(() => {
  done = [];
  failure = null;
  list = [stored("1", "live"), stored("2", "shadow")];
  models = new Models({
    registry: {
      list: () => Promise.resolve(list),
      previousLive: () => Promise.resolve({ name: "activity", version: "0", sha256: "ab" }),
    },
    newestScores: () => Promise.resolve([score("2", true), score("2", false), score("2", true), null]),
    run: (command, changeId) => {
      done.push([command, changeId]);
      return failure ? Promise.reject(failure) : Promise.resolve([`done ${done.length}`]);
    },
  });
});

const promote = { action: "live", name: "activity", version: "2" };

test("models have their stages, where a roll back goes, and how often the shadow agrees", async () => {
  expect(await models.overview()).toEqual({
    models: list,
    previous: { activity: "0" },
    agreement: [{ model: "activity/2", scores: 3, agreed: 2 }],
  });
});

test("no scores are read where no shadow scores", async () => {
  list = [stored("1", "live")];
  expect((await models.overview()).agreement).toEqual([]);
});

test.each([
  [promote, { name: "promote", model: "activity", version: "2", stage: "live", share: undefined }],
  [
    { ...promote, action: "shadow" },
    { name: "promote", model: "activity", version: "2", stage: "shadow", share: undefined },
  ],
  [
    { ...promote, action: "off" },
    { name: "off", model: "activity", version: "2" },
  ],
  [
    { ...promote, action: "rollback", version: "0" },
    { name: "promote", model: "activity", version: "0", stage: "live", share: undefined },
  ],
])("%j is a command of npm run model, under the key of its request", async (request, command) => {
  expect(await models.change(request, "key-00001")).toEqual({ status: 200, body: { lines: ["done 1"] } });
  expect(done).toEqual([[command, "key-00001"]]);
});

test("what comes again under its key is done once, also at the same time", async () => {
  const answers = await Promise.all([models.change(promote, "key-00001"), models.change(promote, "key-00001")]);
  answers.push(await models.change(promote, "key-00001"));
  expect(answers).toEqual(Array.from({ length: 3 }, () => ({ status: 200, body: { lines: ["done 1"] } })));
  expect(done).toHaveLength(1);
  expect((await models.change({ ...promote, action: "off" }, "key-00001")).status).toBe(422);
  await models.change(promote, "key-00002");
  expect(done).toHaveLength(2);
});

test("a key whose change was cut off is taken again, under the same name in the log", async () => {
  failure = new Error("connect ECONNREFUSED");
  expect((await models.change(promote, "key-00001")).status).toBe(502);
  failure = null;
  expect((await models.change(promote, "key-00001")).status).toBe(200);
  expect(done.map(([, id]) => id)).toEqual(["key-00001", "key-00001"]);
});

test("a roll back to another version than the one that was live before changes nothing", async () => {
  const answer = await models.change({ ...promote, action: "rollback" }, "key-00001");
  expect(answer).toMatchObject({ status: 409, body: { detail: "activity goes back to 0, not to 2" } });
  expect(done).toEqual([]);
});

test("a model that is refused is a conflict, in the command's words", async () => {
  failure = new MillraceError("model-refused", "its hash is another");
  expect(await models.change(promote, "key-00001")).toMatchObject({
    status: 409,
    body: { detail: "its hash is another" },
  });
});

test.each([
  [null, /body/],
  [{ ...promote, action: "delete" }, /action/],
  [{ ...promote, name: "../other" }, /name/],
  [{ ...promote, version: "../../x" }, /version/],
  [{ ...promote, share: 1 }, /share/],
])("%j is refused", async (body, problem) => {
  const answer = await models.change(body, "key-00001");
  expect(answer).toMatchObject({ status: 400, body: { detail: expect.stringMatching(problem) } });
  expect(done).toEqual([]);
});
