import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { programs } from "../../config/settings.ts";
import { deadLetterCodes, errorCodes } from "../../domain/errors.ts";
import { sessionWarnings } from "../../domain/imu.ts";
import { metrics, type MetricSpec } from "../../domain/metrics.ts";
import { semanticsSettings, type SemanticsSetting } from "../../domain/semantics.ts";
import { topics } from "../../domain/topics.ts";

const root = join(import.meta.dirname, "..", "..");
const page = readFileSync(join(root, "docs", "contracts.md"), "utf8");

/** Rows of the table under a heading, without backquotes around cells. */
function rows(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .slice(2, -2)
        .split(" | ")
        .map((cell) => cell.replace(/^`(.*)`$/, "$1")),
    );
}

test("docs/contracts.md lists the topics as they are created", () => {
  expect(rows("Kafka topics").map(([name, partitions, , timestamps]) => [name, partitions, timestamps])).toEqual(
    Object.values(topics).map(({ name, partitions, timestampType }) => [name, String(partitions), timestampType]),
  );
});

test.each([
  ["Dead-letter codes", deadLetterCodes],
  ["Errors that stop something", errorCodes],
  ["Warnings of sessions", sessionWarnings],
])("docs/contracts.md lists the codes and texts of the code: %s", (heading, codes) => {
  expect(rows(heading)).toEqual(Object.entries(codes));
});

test("docs/contracts.md lists the metrics", () => {
  expect(rows("Metrics")).toEqual(
    Object.entries<MetricSpec>(metrics).map(([name, { kind, unit, tier, label, doc }]) => [
      name,
      kind,
      unit,
      String(tier),
      label ?? "–",
      doc,
    ]),
  );
});

test("docs/contracts.md lists the settings of the programs, with their defaults", () => {
  const settings = Object.values(programs).flatMap((program) =>
    Object.values(program as Record<string, { env: string; doc: string; default?: string | number }>),
  );
  const expected = settings.map((setting) => [
    setting.env,
    !("default" in setting) ? "must be given" : setting.default === undefined ? "none" : String(setting.default),
    setting.doc,
  ]);
  expect(rows("Settings of the programs")).toEqual(expected);
});

test("docs/replay.md lists the settings of the semantics", () => {
  const replay = readFileSync(join(root, "docs", "replay.md"), "utf8");
  const bounds = (setting: SemanticsSetting): string =>
    "choices" in setting ? `\`${setting.choices.join("`, `")}\` | –` : `${setting.min} | ${setting.max}`;
  const expected = semanticsSettings.map(([name, setting]) => {
    const { option, env, doc } = setting;
    return `| \`--${option}\` | \`${env}\` | \`${name}\` | ${bounds(setting)} | \`${setting.default}\` | ${doc} |`;
  });
  expect(replay.split("\n").filter((line) => line.startsWith("| `--"))).toEqual(expected);
});

test("docs/dependencies.md names the direct dependencies, and no other", () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  ) as Record<string, Record<string, string>>;
  const named = [
    ...readFileSync(join(root, "docs", "dependencies.md"), "utf8").matchAll(/^\| `([^`]+)`((?:, `[^`]+`)*) \|/gm),
  ].flatMap(([, first, more]) => [first!, ...[...more!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)]);
  expect(named.sort()).toEqual(Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies }).sort());
});
