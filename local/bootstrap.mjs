// Runs a program of Millrace on the Node 24 of the npm package `node`. It first installs the npm packages when they
// are missing or do not match package-lock.json. This file is plain JavaScript and imports nothing from node_modules,
// because it runs on the Node of a fresh machine (version 20 or later).
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const stamp = join(modules, ".millrace-lock");
const lock = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");

function installed() {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === lock;
}

// `npm ci` refuses a lock file that lacks other platforms' optional packages. `npm install --no-save` accepts it, and
// neither changes it nor ignores it.
function install() {
  process.stderr.write("millrace: installing npm packages (first run: about a minute) …\n");
  const result = spawnSync("npm", ["install", "--no-save", "--no-fund", "--no-audit", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (result.status !== 0) {
    process.stderr.write(
      `millrace: npm install failed (${result.error?.message ?? `exit code ${result.status}`}). ` +
        "See the messages above. The usual causes are a full disk and no network.\n",
    );
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

if (!installed()) install();

const [program, ...args] = process.argv.slice(2);
const node = join(modules, ".bin", process.platform === "win32" ? "node.cmd" : "node");
if (!existsSync(node)) {
  process.stderr.write(
    `millrace: there is no Node 24 package for ${process.platform}-${process.arch}. ` +
      "Millrace supports linux and darwin on x64 and arm64.\n",
  );
  process.exit(1);
}
const child = spawn(
  node,
  ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=4", join(root, program), ...args],
  {
    stdio: "inherit",
    env: {
      // Types once stripped and code once compiled: a start takes half the CPU time, and 25 MB less for each process.
      NODE_COMPILE_CACHE: join(root, ".millrace", "compile-cache"),
      // By default each thread may get an arena of the C library's memory of its own, and keep what it once held.
      MALLOC_ARENA_MAX: "2",
      ...process.env,
      PATH: `${join(modules, ".bin")}:${process.env.PATH}`,
    },
  },
);
// A terminal's Ctrl-C also reaches the child. A signal that is sent to this process alone must be forwarded.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
