// Keeps the named dependencies of package.json and drops all others, so that an image holds only what its program
// imports. Versions stay those of package-lock.json. This is plain JavaScript, because it runs before any installation.
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
