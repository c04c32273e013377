import { expect, test } from "@jest/globals";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { formerFingerprint, settingsBefore } from "../../../processor/adapters/settings-before.ts";

const fiveSeconds = { ...defaultSemantics, windowMs: 5_000, slideMs: 5_000 };

test("fingerprints are those that the last release wrote", () => {
  // Printed by that release's own `sensorMachineFactory(…).fingerprint`.
  expect(formerFingerprint(defaultSemantics)).toBe("a75f8181c478cae7");
  expect(formerFingerprint(fiveSeconds)).toBe("63769c01bcf99771");
});

test("of the candidates, those that the fingerprint names are taken", () => {
  expect(settingsBefore("63769c01bcf99771", [defaultSemantics, fiveSeconds])).toBe(fiveSeconds);
  expect(() => settingsBefore("63769c01bcf99771", [defaultSemantics])).toThrow(/WINDOW_MS.*npm run recover/);
});

test("a task from before begins with its settings; a snapshot that has settings keeps them", async () => {
  const factory = sensorMachineFactory();
  const origin = { partition: 0, restored: null, failures: new Map() };
  await expect(
    Promise.resolve().then(() => factory.create({ ...origin, before: "63769c01bcf99771" })),
  ).rejects.toMatchObject({ code: "settings-unknown" });
  const machine = await factory.create({ ...origin, before: "a75f8181c478cae7" });
  const entries: { key: string; value: Uint8Array; generation: number }[] = [];
  machine.encodeChanges(1, (entry) => entries.push({ ...entry, generation: 1 }));
  const restored = { nextOffset: 7, chain: machine.chain, entries };
  const again = await factory.create({ ...origin, restored, before: "63769c01bcf99771" });
  expect(again.nextOffset).toBe(7);
});
