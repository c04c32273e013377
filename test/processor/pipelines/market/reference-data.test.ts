import { expect, test } from "@jest/globals";
import { partsOf, referenceHeaders } from "../../../../domain/reference.ts";
import { ReferenceData } from "../../../../processor/pipelines/market/reference-data.ts";

function part(version: string, number: number | string, parts: number | string, text?: string): Record<string, string> {
  return {
    [referenceHeaders.version]: version,
    [referenceHeaders.part]: String(number),
    [referenceHeaders.parts]: String(parts),
    ...(text === undefined ? {} : { [referenceHeaders.text]: text }),
  };
}

const data = (version: string, eur: number): string => JSON.stringify({ version, rates: { EUR: eur } });

test("a version holds from its last part on", () => {
  const reference = new ReferenceData();
  expect(reference.inForce).toBeNull();
  const [first, second, third] = partsOf(data("v1", 1.25), 13) as [string, string, string];
  expect(reference.control(part("v1", 0, 3, first))).toBeNull();
  expect(reference.control(part("v1", 1, 3, second))).toBeNull();
  expect(reference.inForce).toBeNull();
  expect(reference.control(part("v1", 2, 3, third))).toBeNull();
  expect(reference.inForce).toEqual({ version: "v1", rates: { EUR: 1.25 }, flags: {}, rules: [] });
});

test("an incomplete version never holds: a first part begins anew, and a part out of turn is refused", () => {
  const reference = new ReferenceData();
  expect(reference.control(part("v1", 0, 2, "{"))).toBeNull();
  expect(reference.control(part("v2", 0, 1, data("v2", 2)))).toBeNull();
  expect(reference.inForce?.version).toBe("v2");
  expect(reference.control(part("v1", 1, 2, "}"))).toEqual({
    code: "invalid-message",
    message: 'the reference data "v1" is not taken: part 1 of 2 was received, and part 0 of a version is expected',
  });
  expect(reference.control(part("v3", 0, 3, "{"))).toBeNull();
  expect(reference.control(part("v3", 2, 3, "}"))?.message).toContain(
    "part 2 of 3 was received, and part 1 of 3 of version v3 is expected",
  );
  expect(reference.control(part("v4", 1, 3, "}"))?.message).toContain("part 1 of 3 of version v3 is expected");
  expect(reference.inForce?.version).toBe("v2");
});

test.each([
  [part("a b", 0, 1, "{}"), 'the version is "a b"'],
  [part("v", 0, 17, "{}"), "parts is 17; 1 to 16"],
  [part("v", "x", 1, "{}"), "part is x of 1, counted from 0"],
  [part("v", 0, 1), "there is no text"],
  [part("v", 0, 1, "x".repeat(262_145)), "the part has 262145 bytes; at most 262144 are allowed"],
  [part("v", 0, 1, "{"), "it is not JSON"],
  [part("v", 0, 1, data("w", 1)), "the data's version is w, the record's v"],
  [part("v", 0, 1, '{"version":"v","rates":{"eur":1}}'), "rates.eur"],
  [part("v", 0, 1, '{"version":"v","rules":[{"name":"a","kind":"trade-amount","severity":"LOW"}]}'), "rules.0.maxUsd"],
])("%j is refused: %s", (headers, problem) => {
  const reference = new ReferenceData();
  reference.control(part("before", 0, 1, data("before", 3)));
  const refused = reference.control(headers);
  expect(refused?.code).toBe("invalid-message");
  expect(refused?.message).toContain(problem);
  expect(reference.inForce?.version).toBe("before");
});

test("parts are cut between characters, and make the text again", () => {
  const text = "aß€𝄞".repeat(10);
  for (let bytes = 4; bytes < 20; bytes++) {
    const parts = partsOf(text, bytes);
    expect(parts.join("")).toBe(text);
    for (const one of parts) expect(Buffer.byteLength(one)).toBeLessThanOrEqual(bytes);
  }
});
