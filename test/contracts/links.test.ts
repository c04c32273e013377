import { existsSync, globSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "..", "..");
const notTracked = [".git", ".millrace", "cdk.out", "node_modules"];
const topFolders = readdirSync(root).filter(
  (name) => !notTracked.includes(name) && statSync(join(root, name)).isDirectory(),
);
const pages = globSync(["*.md", "docs/**/*.md", ".github/**/*.md"], { cwd: root }).sort();
const textOf = (page: string): string => readFileSync(join(root, page), "utf8");

/** The anchors that a page's headings have, as GitHub makes them. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Relative links of a page whose file, or whose heading in it, does not exist. */
function brokenLinks(page: string, text = textOf(page)): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path, anchor] = link.split("#") as [string, string?];
    const file = path === "" ? join(root, page) : join(root, dirname(page), path);
    if (!existsSync(file)) return true;
    return anchor !== undefined && !anchors(readFileSync(file, "utf8")).includes(anchor);
  });
}

/**
 * Files and folders of the repository that a page mentions, outside of links, and that do not exist. A path may have
 * `*` in it, and may be relative to the page. What does not begin with a folder of the repository is the reader's own.
 */
function missingPaths(page: string, text = textOf(page)): string[] {
  const prose = text.replaceAll(/\]\([^)\s]+\)/g, "]");
  const files = prose.matchAll(/(?<![\w./{}<>$*-])[\w.-]+(?:\/[\w.*-]+)+\.(?:ts|mjs|js|json|py|java|xml|md)\b/g);
  const folders = prose.matchAll(/`([\w.-]+(?:\/[\w.-]+)*\/|[\w.-]+(?:\/[\w-]+)+)`/g);
  const mentioned = [...[...files].map(([path]) => path), ...[...folders].map(([, path]) => path!)];
  return mentioned.filter(
    (path) =>
      topFolders.includes(path.split("/")[0]!) &&
      globSync(path, { cwd: root }).length === 0 &&
      !existsSync(join(root, dirname(page), path)),
  );
}

describe.each(pages)("%s", (page) => {
  test("links to files and headings that exist", () => expect(brokenLinks(page)).toEqual([]));
  test("mentions files and folders that exist", () => expect(missingPaths(page)).toEqual([]));
});

test("the reading of pages sees what is wrong", () => {
  expect(brokenLinks("docs/x.md", "[a](gone.md) [b](replay.md#lines) [c](replay.md#gone) [d](https://e.org)")).toEqual([
    "gone.md",
    "replay.md#gone",
  ]);
  const text = "`processor/gone`, `docs/gone/`, test/gone*.ts, `s3/x.json`, `processor/main.ts`, [a](docs/gone.md)";
  expect(missingPaths("README.md", text)).toEqual(["test/gone*.ts", "processor/gone", "docs/gone/"]);
});
