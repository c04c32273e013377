import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { operatorCommands } from "../../config/operator-commands.ts";
import { alarms } from "../../domain/alarms.ts";
import { parseOnAwsArguments } from "../../lib/on-aws/arguments.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = join(root, "docs", "runbooks");
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
const runbooks = readdirSync(folder).map((file) => file.replace(/\.md$/, ""));

const headings = [
  "What it means",
  "Who is affected",
  "First look",
  "Decision",
  "Commands",
  "How to know that it is over",
  "How to prevent it",
];

test("each alarm has its runbook, and each runbook an alarm", () => {
  expect(runbooks.toSorted()).toEqual([...new Set(alarms.map(({ runbook }) => runbook))].toSorted());
});

describe.each(runbooks)("%s", (runbook) => {
  const text = readFileSync(join(folder, `${runbook}.md`), "utf8");
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block!);

  test("has the headings of a runbook, in their order", () => {
    const prose = text.replaceAll(/^```sh\n.*?^```$/gms, "");
    expect([...prose.matchAll(/^#+ .+$/gm)].map(([line]) => line)).toEqual([
      `# ${runbook}`,
      ...headings.map((heading) => `## ${heading}`),
    ]);
  });

  test("has something to run for a first look and as commands", () => {
    for (const heading of ["First look", "Commands"])
      expect(text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0]).toContain("```sh\n");
  });

  test("has commands that a shell can read and npm knows", () => {
    for (const block of blocks) {
      const { status, stderr } = spawnSync("bash", ["-n"], { input: block, encoding: "utf8" });
      expect([block, status, stderr]).toEqual([block, 0, ""]);
      const unknown = [...block.matchAll(/npm run (?:--silent )?([\w-]+)/g)].filter(
        ([, name]) => !Object.hasOwn(scripts, name!),
      );
      expect(unknown.map(([command]) => command)).toEqual([]);
    }
  });

  const onAws = (text.split("\nOn AWS")[1] ?? "").split("\n## ")[0]!;
  const given = [...onAws.matchAll(/npm run on-aws -- (.+)/g)].map(([, args]) => args!.replaceAll('"', ""));
  // What a dump prints is no more than a shell can take; on AWS it would come through a log.
  const bounded = operatorCommands.filter((name) => name !== "dump");
  const local = bounded.filter((name) =>
    new RegExp(`^npm run --silent ${name}\\b`, "m").test(text.split("\n## Commands\n")[1]!.split("\nOn AWS")[0]!),
  );

  test("has for AWS the operator's commands that it has for one machine, and on-aws knows each", () => {
    const commands = given.map((args) => parseOnAwsArguments(args.split(" "), ["$E"]).command);
    expect(commands).toEqual(expect.arrayContaining(local));
  });
});
