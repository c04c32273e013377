import { expect, test } from "@jest/globals";
import { Terminal } from "../../local/terminal.ts";

function written(
  isTTY: boolean,
  columns = 40,
): { out: { write(text: string): void; isTTY: boolean; columns: number }; readonly text: () => string } {
  let text = "";
  return { out: { write: (more) => void (text += more), isTTY, columns }, text: () => text };
}

test("on a terminal the status is cut to the width, overwritten, and stays below printed lines", () => {
  const { out, text } = written(true, 10);
  const terminal = new Terminal(out);
  terminal.status("first");
  terminal.print("a note");
  terminal.status("a status longer than the line");
  expect(text()).toBe("\r\u001b[2Kfirst\r\u001b[2Ka note\nfirst\r\u001b[2Ka status…");
});

test("in a file the status comes every five seconds, and everything else at once", () => {
  const { out, text } = written(false);
  let now = 0;
  const terminal = new Terminal(out, () => now);
  for (; now <= 10_000; now += 1_000) terminal.status(`status ${now}`);
  terminal.print("a note");
  expect(text()).toBe("status 0\nstatus 5000\nstatus 10000\na note\n");
});
