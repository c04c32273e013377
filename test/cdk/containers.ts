import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { BuildArguments } from "../../lib/images.ts";
import { root } from "./synthesised.ts";

/** What builds and runs images: Debian's packages podman, runc and mmdebstrap. `.ci/run` installs them. */
const programs = ["podman", "runc", "mmdebstrap", "npm", "openssl"] as const;
/** Where a build finds the certificate authorities of this machine, as npm may need them. */
const HOST_AUTHORITIES = "/run/host-authorities.crt";
const DEBIAN_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";
const BASE = `localhost/millrace-test/base:${process.versions.node}`;
/** A container's limits: podman's own are above what an unprivileged virtual machine lets it set. */
const limits = ["nofile=4096:4096", "nproc=4096:4096"].flatMap((limit) => ["--ulimit", limit]);
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Whether images can be built and run here; says on standard error why not. */
export function canBuildImages(): boolean {
  const problem = whyNot();
  if (problem !== undefined) process.stderr.write(`images are not built on this machine: ${problem}\n`);
  return problem === undefined;
}

function whyNot(): string | undefined {
  const missing = programs.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  if (missing.length > 0) return `it has no ${missing.join(", ")}`;
  if (process.getuid?.() !== 0) return "it needs root";
  const folder = mkdtempSync(join(tmpdir(), "millrace-container-"));
  try {
    smallestRoot(folder);
    run("podman", ["--runtime=runc", "run", "--rm", "--network=none", ...limits, "--rootfs", folder, "/bin/true"]);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A root file system with `/bin/true` of this machine and the libraries that it loads. */
function smallestRoot(folder: string): void {
  const libraries = run("ldd", ["/bin/true"]).match(/\/\S+/g) ?? [];
  for (const file of ["/bin/true", ...libraries]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(realpathSync(file), join(folder, file));
  }
}

function run(command: string, args: readonly string[], options: { readonly cwd?: string } = {}): string {
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: MAX_OUTPUT_BYTES, ...options });
  if (result.status === 0) return result.stdout;
  const said = result.error?.message ?? `${result.stdout.slice(-3_000)}\n${result.stderr.slice(-3_000)}`;
  throw new Error(`${command} ${args.slice(0, 3).join(" ")} … failed:\n${said}`);
}

const exists = (image: string): boolean => spawnSync("podman", ["image", "exists", image]).status === 0;

/**
 * Stands in for the image of Node on Debian slim: Debian's base packages from this machine's mirror, this project's
 * Node, npm, and a user `node` with the id 1000. Made once for a version of Node.
 */
function baseImage(): string {
  if (exists(BASE)) return BASE;
  mkdirSync(join(root, ".millrace"), { recursive: true });
  const context = mkdtempSync(join(root, ".millrace", "base-image-"));
  try {
    run("mmdebstrap", ["--variant=minbase", "--mode=root", "bookworm", join(context, "debian.tar")]);
    cpSync(realpathSync(process.execPath), join(context, "node"));
    // `npm root` says where the Node that runs it would have a global npm, not where this npm is.
    const npm = realpathSync(run("sh", ["-c", "command -v npm"]).trim());
    cpSync(dirname(dirname(npm)), join(context, "npm"), { recursive: true });
    writeFileSync(join(context, "npmrc"), `cafile=${HOST_AUTHORITIES}\nprefer-offline=true\n`);
    writeFileSync(
      join(context, "Containerfile"),
      [
        "FROM scratch",
        "ADD debian.tar /",
        "COPY node /usr/local/bin/node",
        "COPY npm /usr/local/lib/node_modules/npm",
        "COPY npmrc /usr/local/etc/npmrc",
        "RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --create-home node" +
          " && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm",
      ].join("\n"),
    );
    run("podman", ["build", "--isolation=chroot", "--network=host", "--tag", BASE, context]);
    return BASE;
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

export interface Build {
  /** Folder that the CDK has staged, with its Dockerfile. */
  readonly folder: string;
  readonly args: BuildArguments;
  /** Name of the image, with a tag that changes with its content. */
  readonly image: string;
  /** PEM file that stands in for the bundle of DocumentDB's authorities. */
  readonly documentsCa: string;
  /** Stage of the Dockerfile to stop at, and the processor to take packages for. @default all, for this machine */
  readonly stage?: { readonly target: string; readonly architecture: "arm64" | "amd64" };
}

/** Builds an image by the project's Dockerfile, without a daemon; an image that is there is not built again. */
export async function buildImage({ folder, args, image, documentsCa, stage }: Build): Promise<void> {
  if (exists(image)) return;
  const [name = ""] = image.split(":");
  for (const old of run("podman", ["images", "--format", "{{.Repository}}:{{.Tag}}"]).split("\n"))
    if (old.startsWith(`${name}:`)) run("podman", ["rmi", "--force", old]);
  const authorities = existsSync(DEBIAN_AUTHORITIES) ? DEBIAN_AUTHORITIES : "/dev/null";
  const cache = run("npm", ["config", "get", "cache"]).trim();
  mkdirSync(cache, { recursive: true });
  const bundle = createServer((_, answer) => void answer.end(documentsCa));
  await new Promise<void>((done) => bundle.listen(0, "127.0.0.1", () => done()));
  const { port } = bundle.address() as AddressInfo;
  const all = {
    ...args,
    NODE_IMAGE: baseImage(),
    DOCUMENTS_CA: `http://127.0.0.1:${port}/global-bundle.pem`,
    ...(stage === undefined ? {} : { TARGETARCH: stage.architecture }),
  };
  const build = spawn(
    "podman",
    [
      ...["build", "--isolation=chroot", "--network=host", "--format=docker", "--layers=false", "--tag", image],
      ...(stage === undefined ? [] : ["--target", stage.target]),
      ...["--volume", `${authorities}:${HOST_AUTHORITIES}:ro`, "--volume", `${cache}:/root/.npm`],
      ...Object.entries(all).flatMap(([argument, value]) => ["--build-arg", `${argument}=${value}`]),
      folder,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const { code, output } = await ended(build);
  bundle.close();
  if (code !== 0) throw new Error(`the build of ${image} ended with ${code}:\n${output().slice(-6_000)}`);
}

/** What a program prints, and its exit code when it has ended. */
async function ended(child: ChildProcess): Promise<{ code: number | null; output: () => string }> {
  const output = collected(child);
  const code = await new Promise<number | null>((done) => child.once("close", done));
  return { code, output };
}

function collected(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data: Buffer) => (text += data.toString()));
  return () => text;
}

/** What a command prints in a container of an image. */
export function printedIn(image: string, command: string): string {
  return run("podman", [
    ...["--runtime=runc", "run", "--rm", "--network=none", ...limits],
    ...["--entrypoint", JSON.stringify(["/bin/sh", "-c", command]), image],
  ]);
}

export interface RunOptions {
  readonly user: string;
  readonly readOnly: boolean;
  readonly environment: Readonly<Record<string, string>>;
  /** Files of this machine, by their paths in the container. */
  readonly files?: Readonly<Record<string, string>>;
  /** Addresses of hosts, by their names. */
  readonly hosts?: Readonly<Record<string, string>>;
}

/** A container that runs the image's entry point on this machine's network. */
export class Container {
  readonly #name: string;
  readonly #output: () => string;
  readonly #ended: Promise<number | null>;
  #code: number | null | undefined;

  constructor(name: string, image: string, options: RunOptions) {
    this.#name = `${name}-${process.pid}`;
    const { user, readOnly, environment, files = {}, hosts = {} } = options;
    const child = spawn(
      "podman",
      [
        ...["--runtime=runc", "run", "--rm", "--init=false", "--network=host", "--name", this.#name, ...limits],
        ...["--user", user, ...(readOnly ? ["--read-only", "--read-only-tmpfs=false"] : [])],
        ...Object.entries(environment).flatMap(([variable, value]) => ["--env", `${variable}=${value}`]),
        ...Object.entries(files).flatMap(([inside, file]) => ["--volume", `${file}:${inside}:ro`]),
        ...Object.entries(hosts).flatMap(([host, address]) => ["--add-host", `${host}:${address}`]),
        image,
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#output = collected(child);
    this.#ended = new Promise((done) =>
      child.once("close", (code) => {
        this.#code = code;
        done(code);
      }),
    );
  }

  /** What the program has printed. */
  get output(): string {
    return this.#output();
  }

  /** Exit code of a command in the container. @throws When the container has ended. */
  exec(command: readonly string[]): number | null {
    if (this.#code !== undefined)
      throw new Error(`${this.#name} ended with ${this.#code}:\n${this.output.slice(-3_000)}`);
    return spawnSync("podman", ["--runtime=runc", "exec", this.#name, ...command]).status;
  }

  /** Asks the program to end, as ECS does, and gives its exit code. */
  async stop(): Promise<number | null> {
    spawnSync("podman", ["kill", "--signal", "TERM", this.#name]);
    return await this.#ended;
  }

  async kill(): Promise<void> {
    if (this.#code !== undefined) return;
    spawnSync("podman", ["rm", "--force", "--time", "0", this.#name]);
    await this.#ended;
  }
}
