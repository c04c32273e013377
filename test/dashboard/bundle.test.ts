import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { bundlePage } from "../../dashboard/build/bundle.ts";

/** Bytes of the whole page as it is sent, at most. */
const LIMIT = 250_000;

const folder = bundlePage();
const read = (name: string): Buffer => readFileSync(join(folder, name));

test("the page is four files, together under 250 kB gzipped", () => {
  const names = readdirSync(folder).sort();
  expect(names).toEqual(["app.js", "icon.svg", "index.html", "style.css"]);
  expect(names.reduce((sum, name) => sum + gzipSync(read(name)).length, 0)).toBeLessThan(LIMIT);
});

test("the same sources give the same bytes", () => {
  const again = bundlePage();
  expect(again).not.toBe(folder);
  for (const name of readdirSync(folder)) expect(readFileSync(join(again, name)).equals(read(name))).toBe(true);
});

test("it has no script or style that the policy refuses: none inline, none from elsewhere", () => {
  const html = read("index.html").toString();
  expect([...html.matchAll(/<script\b[^>]*>[^<]*/g)].map(([tag]) => tag)).toEqual([
    '<script type="module" src="app.js">',
  ]);
  expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=/);
  expect(read("style.css").toString()).not.toMatch(/@import|url\((?!data:)/);
});

test("the notices that licences want are in it", () => {
  expect(read("app.js").toString()).toMatch(
    /TradingView Lightweight Charts™.*\n.*Copyright.*TradingView.*\n.*Apache License 2\.0/,
  );
});
