import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { featureStatistics } from "../../domain/features.ts";
import { windowChannels } from "../../domain/imu.ts";
import { channelStatistics } from "../../domain/records.ts";
import { tables } from "../../domain/tables.ts";

const statistics = Object.keys(channelStatistics.shape);

test("the lake's table of windows has every statistic of every channel", () => {
  const types = tables.aggregated.columns
    .filter(({ name }) => windowChannels.some((channel) => channel.toLowerCase() === name))
    .map(({ type }) => type);
  const wanted = `struct<${statistics.map((name) => `${name}:double`).join(",")}>`;
  expect(types).toEqual(windowChannels.map(() => wanted));
});

test("the feature group has every statistic", () => {
  expect(featureStatistics).toEqual(statistics);
});

test("docs/contracts.md shows every statistic in its window record", () => {
  const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "contracts.md"), "utf8");
  const example = page.split("\n").find((line) => line.includes('"channels":{'))!;
  const { channels } = JSON.parse(example) as { channels: Record<string, object> };
  expect(Object.keys(channels["ax"]!)).toEqual(statistics);
});
