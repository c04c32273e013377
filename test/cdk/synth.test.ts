import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { environments, root, synthesised, withoutAws } from "./synthesised.ts";

/** Two synths on a busy machine. */
const LIMIT_MS = 300_000;

/** Hashes of the deployed files of a cloud assembly. What the CDK writes about the run itself is left out. */
function deployedFiles(folder: string, prefix = ""): Record<string, string> {
  return Object.assign(
    {},
    ...readdirSync(join(folder, prefix)).map((name) => {
      const path = join(prefix, name);
      if (statSync(join(folder, path)).isDirectory()) return deployedFiles(folder, path);
      const deployed =
        prefix !== "" || name.endsWith(".template.json") || name.endsWith(".assets.json") || name.startsWith("asset.");
      return deployed
        ? {
            [path]: createHash("sha256")
              .update(readFileSync(join(folder, path)))
              .digest("hex"),
          }
        : {};
    }),
  ) as Record<string, string>;
}

describe("cdk synth", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "millrace-synth-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(environments)(
    "of %s works without credentials, and a second one is identical",
    async (env) => {
      const first = await synthesised(env);
      const output = join(folder, env);
      // No Docker either: its command is not on this path.
      const result = spawnSync(
        process.execPath,
        [join(root, "node_modules/aws-cdk/bin/cdk"), "synth", "--all", "--quiet", "-c", `env=${env}`, "-o", output],
        {
          cwd: root,
          encoding: "utf8",
          env: {
            ...withoutAws(),
            HOME: folder,
            PATH: `${join(root, "node_modules/.bin")}:/usr/bin:/bin`,
            CDK_DOCKER: "no-docker-here",
            AWS_EC2_METADATA_DISABLED: "true",
          },
        },
      );
      expect([result.status, result.status === 0 ? "" : result.stderr]).toEqual([0, ""]);
      expect(deployedFiles(output)).toEqual(deployedFiles(first.folder));
    },
    LIMIT_MS,
  );
});
