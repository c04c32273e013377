import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { nodeArguments } from "../../config/node.ts";
import { HEALTH_PORT } from "../../lib/constructs/stream-service.ts";
import { root } from "./synthesised.ts";

/** Files and packages that a program reaches by its imports, from `main.ts` on. */
function reached(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const source = readFileSync(file, "utf8");
    // `import type` and `export type` vanish before the program runs.
    for (const [, specifier = ""] of source.matchAll(
      /^(?:import|export)\s(?!type\s)(?:[^"';]*?\sfrom\s)?"([^"]+)"/gms,
    )) {
      if (specifier.startsWith(".")) visit(join(dirname(file), specifier));
      else if (!specifier.startsWith("node:"))
        packages.add(
          specifier
            .split("/")
            .slice(0, specifier.startsWith("@") ? 2 : 1)
            .join("/"),
        );
    }
    for (const [, specifier = ""] of source.matchAll(/\bimport\("([^"]+)"\)/g))
      if (specifier.startsWith(".")) visit(join(dirname(file), specifier));
  };
  visit(entry);
  return { files, packages };
}

describe.each(["bridge", "processor", "live"])("the image of %s", (program) => {
  const dockerfile = readFileSync(join(root, program, "Dockerfile"), "utf8");
  const { files, packages } = reached(join(root, program, "main.ts"));

  test("holds every file that the program imports", () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(\S+) \S+$/gm)]
      .map(([, path = ""]) => path)
      .filter((path) => existsSync(join(root, path)) && statSync(join(root, path)).isDirectory());
    const missing = [...files]
      .map((file) => relative(root, file))
      .filter((file) => !copied.some((folder) => file.startsWith(`${folder}/`)));
    expect(missing).toEqual([]);
    const ignored = readFileSync(join(root, ".dockerignore"), "utf8");
    for (const folder of copied) expect(ignored).toContain(`!${folder}`);
  });

  test("holds the packages that the program imports, and no others", () => {
    const kept = /RUN node keep-dependencies\.mjs ([^\\]+)\\/.exec(dockerfile)?.[1]?.trim().split(/\s+/) ?? [];
    expect(kept.toSorted()).toEqual([...packages].toSorted());
  });

  test("pins the Node that the project runs on, for a user who isn't root", () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
    expect(bases).toEqual(bases.map(() => `public.ecr.aws/docker/library/node:${process.versions.node}-bookworm-slim`));
    expect(dockerfile).toContain("USER 1000:1000");
    expect(dockerfile).toContain("HEALTHCHECK");
    expect(JSON.parse(/^ENTRYPOINT (.+)$/m.exec(dockerfile)?.[1] ?? "[]")).toEqual([
      "node",
      ...nodeArguments(program),
      `${program}/main.ts`,
    ]);
    expect(HEALTH_PORT).toBeGreaterThan(1_024);
  });
});
