// Runs a program of Millrace on the Node that the project brings, installing npm packages first when they
// are missing or not those of package-lock.json. Plain JavaScript without imports from node_modules, so that
// it runs on whatever Node (20 or later) a fresh machine has.
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

// `npm ci` would refuse a lock file made where not every platform's optional packages could be seen; `install --no-save` honours the lock without changing it.
function install() {
  process.stderr.write("millrace: installing npm packages (first run: about a minute) …\n");
  const result = spawnSync("npm", ["install", "--no-save", "--no-fund", "--no-audit", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (result.status !== 0) {
    process.stderr.write(
      `millrace: npm install failed (${result.error?.message ?? `exit code ${result.status}`}). See the messages above; disk full and no network are the usual causes.\n`,
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
    `millrace: no Node 24 package for ${process.platform}-${process.arch} was installed; supported are linux and darwin on x64 and arm64.\n`,
  );
  process.exit(1);
}
const child = spawn(node, ["--disable-warning=ExperimentalWarning", join(root, program), ...args], {
  stdio: "inherit",
  env: { ...process.env, PATH: `${join(modules, ".bin")}:${process.env.PATH}` },
});
// A terminal's Ctrl-C reaches the child by itself; a signal sent to this process alone has to be passed on.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
