import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import tls from "node:tls";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { nodeArguments } from "../../config/node.ts";
import { operatorCommands, programOf } from "../../config/operator-commands.ts";
import { buildArguments, imagePrograms, type ImageProgram } from "../../lib/images.ts";
import { HEALTH_PORT } from "../../lib/stacks/programs.ts";
import { resourcesOf, root, synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;
const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8");

/** What an image runs: its program, and in the processor's the commands of `npm run on-aws`. */
const entriesOf = (program: ImageProgram): string[] => [
  `${program}/main.ts`,
  ...(program === "processor" ? operatorCommands.map((command) => `${programOf(command)}/main.ts`) : []),
];

/** Files and packages that programs reach by their imports, from `main.ts` on. */
function reached(entries: readonly string[]): { files: Set<string>; packages: Set<string> } {
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
  for (const entry of entries) visit(join(root, entry));
  return { files, packages };
}

/** What the Dockerfile copies from the project for a program: what it names, and the folders of its arguments. */
function copiedPaths(program: ImageProgram): string[] {
  expect(dockerfile).toContain("COPY . .\nRUN mkdir /sources && cp -r --parents ${FOLDERS} /sources\n");
  expect(dockerfile).toContain("COPY --from=sources /sources ./\n");
  const named = [...dockerfile.matchAll(/^COPY (?!--from|\. \.)(.+) \S+$/gm)].flatMap(([, paths = ""]) =>
    paths.split(" "),
  );
  return [...named, ...buildArguments(program).FOLDERS.split(" ")];
}

describe.each(imagePrograms)("the image of %s", (program) => {
  const { files, packages } = reached(entriesOf(program));
  const copied = copiedPaths(program);
  const copiedFolders = copied.filter(
    (path) => existsSync(join(root, path)) && statSync(join(root, path)).isDirectory(),
  );

  test("holds every file that the program imports, and no folder without one", () => {
    const imported = [...files].map((file) => relative(root, file));
    const missing = imported.filter((file) => !copiedFolders.some((folder) => file.startsWith(`${folder}/`)));
    expect(missing).toEqual([]);
    const unused = copiedFolders.filter((folder) => !imported.some((file) => file.startsWith(`${folder}/`)));
    expect(unused).toEqual([]);
  });

  test("holds the packages that the program imports, and no others", () => {
    expect(dockerfile).toContain("RUN node keep-dependencies.mjs ${PACKAGES} \\\n");
    expect(buildArguments(program).PACKAGES.split(" ").toSorted()).toEqual([...packages].toSorted());
  });

  test("starts the program with Node's arguments", () => {
    const [shell, option, command] = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(dockerfile)?.[1] ?? "[]") as string[];
    expect([shell, option]).toEqual(["/bin/sh", "-c"]);
    const { PROGRAM, NODE_ARGUMENTS } = buildArguments(program);
    const expanded = command?.replace("$NODE_ARGUMENTS", NODE_ARGUMENTS).replace("$PROGRAM", PROGRAM);
    expect(expanded?.split(" ")).toEqual(["exec", "node", ...nodeArguments(), `${program}/main.ts`, '"$@"']);
    // An argument of the build is a variable of the container only where ENV passes it on.
    expect(dockerfile).toContain("PROGRAM=${PROGRAM} NODE_ARGUMENTS=${NODE_ARGUMENTS}\n");
  });

  describe("as it is staged", () => {
    let folder: string;
    let args: unknown;
    beforeAll(async () => {
      const platform = await synthesised("dev");
      const tasks = resourcesOf(platform, "AWS::ECS::TaskDefinition").map(({ stack }) => stack);
      const staged = [...new Set(tasks)]
        .flatMap((stack) => {
          const text = readFileSync(join(platform.folder, `${stack}.assets.json`), "utf8");
          return Object.values((JSON.parse(text) as { dockerImages?: Record<string, StagedImage> }).dockerImages ?? {});
        })
        .find(({ source }) => source.dockerBuildArgs?.["PROGRAM"] === program);
      if (!staged) throw new Error(`dev has no image of ${program}`);
      folder = join(platform.folder, staged.source.directory);
      args = staged.source.dockerBuildArgs;
    }, LIMIT_MS);

    test("is built with the program's arguments, from what the Dockerfile copies and nothing else", () => {
      expect(args).toEqual(buildArguments(program));
      const wanted = new Set(copied.map((path) => path.split("/")[0]));
      expect(readdirSync(folder).toSorted()).toEqual([...wanted, ".dockerignore", "Dockerfile"].toSorted());
      expect(readdirSync(join(folder, "lib"))).toEqual(["docker"]);
      for (const path of copied) expect(existsSync(join(folder, path))).toBe(true);
    });
  });
});

interface StagedImage {
  readonly source: { readonly directory: string; readonly dockerBuildArgs?: Readonly<Record<string, string>> };
}

describe("the store of certificate authorities in an image", () => {
  // https://github.com/awslabs/aws-c-io/blob/main/source/s2n/s2n_tls_channel_handler.c: Debian's store.
  const store = "/etc/ssl/certs/ca-certificates.crt";
  const made = /&& (node -p '[^']+') > (\S+)$/m.exec(dockerfile);

  test("is where the MQTT client of the bridge looks for it", () => {
    expect(made?.[2]).toBe(store);
    expect(dockerfile.indexOf(made![0])).toBeGreaterThan(dockerfile.lastIndexOf("\nFROM "));
    const client = join(root, "node_modules/aws-crt/dist/bin/linux-arm64-glibc/aws-crt-nodejs.node");
    expect(readFileSync(client).includes(store)).toBe(true);
  });

  test("has Amazon's authorities, which sign the endpoints of IoT Core", () => {
    // https://docs.aws.amazon.com/iot/latest/developerguide/server-authentication.html
    const { stdout } = spawnSync("/bin/sh", ["-c", made![1]!], {
      encoding: "utf8",
      env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
    });
    const subjects = (stdout.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
      (pem) => new X509Certificate(pem).subject,
    );
    expect(subjects.length).toBe(tls.rootCertificates.length);
    for (const n of [1, 3]) expect(subjects).toContain(`C=US\nO=Amazon\nCN=Amazon Root CA ${n}`);
  });
});

test("images pin the Node that the project runs on, for a user who isn't root", () => {
  const image = `public.ecr.aws/docker/library/node:${process.versions.node}-bookworm-slim`;
  expect(dockerfile).toContain(`\nARG NODE_IMAGE=${image}\n`);
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  expect(bases.length).toBeGreaterThan(0);
  expect(bases).toEqual(bases.map(() => "${NODE_IMAGE}"));
  expect(dockerfile).toContain("USER 1000:1000");
  expect(dockerfile).toContain("HEALTHCHECK");
  expect(HEALTH_PORT).toBeGreaterThan(1_024);
});
