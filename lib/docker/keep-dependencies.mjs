// Keeps the named dependencies of package.json and drops all others, so that an image holds what its program
// imports and nothing else. Versions stay those of package-lock.json. Plain JavaScript: it runs before anything is installed.
import { readFileSync, writeFileSync } from "node:fs";

const names = process.argv.slice(2);
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const unknown = names.filter((name) => !(name in manifest.dependencies));
if (unknown.length > 0) {
  process.stderr.write(`package.json has no dependency ${unknown.join(", ")}\n`);
  process.exit(1);
}
manifest.dependencies = Object.fromEntries(names.map((name) => [name, manifest.dependencies[name]]));
delete manifest.devDependencies;
delete manifest.optionalDependencies;
writeFileSync("package.json", `${JSON.stringify(manifest, null, 2)}\n`);
