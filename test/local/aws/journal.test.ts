import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Journal, type JournalEntry } from "../../../local/aws/journal.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-journal-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const entry = (text: string, arrivalMs = 1): JournalEntry => ({ arrivalMs, data: Buffer.from(text) });
async function drain(journal: Journal): Promise<string[]> {
  const texts: string[] = [];
  for (const { name } of journal.sealed()) {
    texts.push(...(await journal.read(name)).entries.map(({ data }) => Buffer.from(data).toString()));
    await journal.remove(name);
  }
  return texts;
}

test("entries are read exactly once while segments are sealed, read and removed all the time", async () => {
  const journal = await Journal.open(directory);
  const sent = Array.from({ length: 400 }, (_, i) => `${i}`);
  let left = sent.length;
  const appends = Array.from({ length: 4 }, async (_, worker) => {
    for (const text of sent.filter((_text, i) => i % 4 === worker)) {
      await journal.append([entry(text)]);
      left--;
    }
  });
  const read: string[] = [];
  while (left > 0) {
    await Promise.race([journal.seal(), new Promise((resolve) => setImmediate(resolve))]);
    read.push(...(await drain(journal)));
  }
  await Promise.all(appends);
  await journal.seal();
  read.push(...(await drain(journal)));
  expect(read.map(Number).sort((a, b) => a - b)).toEqual(sent.map(Number));
  expect(readdirSync(directory)).toEqual([]);
});

test("a segment of an earlier process is read without its torn end, and not written again", async () => {
  const earlier = await Journal.open(directory);
  await earlier.append([entry("a", 5), entry("b")]);
  await earlier.seal();
  const [file] = readdirSync(directory) as [string];
  const whole = readFileSync(join(directory, file));
  for (const [cut, texts, corrupt] of [
    [0, ["a", "b"], 0],
    [1, ["a", "b"], 0],
    [3, ["a"], 1],
    [whole.length - 4, [], 1],
  ] as const) {
    writeFileSync(join(directory, file), whole);
    truncateSync(join(directory, file), whole.length - cut);
    const journal = await Journal.open(directory);
    await journal.append([entry("c")]);
    const [{ name }] = journal.sealed() as [ReturnType<Journal["sealed"]>[number]];
    const { entries, corrupt: lines } = await journal.read(name);
    expect([entries.map(({ data }) => Buffer.from(data).toString()), lines]).toEqual([texts, corrupt]);
    await journal.seal();
    for (const other of readdirSync(directory)) if (other !== file) rmSync(join(directory, other));
  }
});

test("what is corrupt is left out, and what is behind it read", async () => {
  const journal = await Journal.open(directory);
  // Data may hold anything, also what ends a line.
  const texts = ["a\n\nb", "", "00000000 1 3\nx\n", "last"];
  await journal.append(texts.map((text, i) => entry(text, i)));
  await journal.seal();
  const [{ name }] = journal.sealed() as [ReturnType<Journal["sealed"]>[number]];
  const file = join(directory, `${name}.journal`);
  const whole = readFileSync(file);
  const read = async (): Promise<unknown> => {
    const { entries, corrupt } = await journal.read(name);
    return [entries.map(({ arrivalMs, data }) => [arrivalMs, Buffer.from(data).toString()]), corrupt];
  };
  const all = texts.map((text, i) => [i, text]);
  expect(await read()).toEqual([all, 0]);
  for (const [changed, left] of [
    ["b", all.slice(1)],
    ["x", [...all.slice(0, 2), all[3]]],
  ] as const) {
    const bytes = Buffer.from(whole);
    bytes[bytes.indexOf(changed, bytes.indexOf("\n"))]! ^= 1;
    writeFileSync(file, bytes);
    expect(await read()).toEqual([left, 1]);
  }
  writeFileSync(file, Buffer.concat([whole, Buffer.from("00000000 1 YQ==\n")]));
  expect(await read()).toEqual([all, 1]);
});

test("a segment of version 0.1 is read: lines of checksum, time and base64", async () => {
  // CRC-32 of "1 YQ==" and of "22 AAEK" as zlib's crc32 of Python gives it.
  writeFileSync(join(directory, "000000000000001-00.journal"), "56de5aaf 1 YQ==\n14131950 22 AAEK\n");
  const journal = await Journal.open(directory);
  const { entries, corrupt } = await journal.read("000000000000001-00");
  expect(corrupt).toBe(0);
  expect(entries).toEqual([entry("a"), entry("\x00\x01\n", 22)]);
});
