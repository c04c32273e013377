import { execFile } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, jest, test } from "@jest/globals";
import chromium from "@sparticuz/chromium";
import { chromium as browsers, type Page, type WebSocketRoute } from "playwright-core";
import { pythonTools } from "../cdk/python.ts";
import { eventually } from "../support/eventually.ts";
import { type Attempt, withPlatform } from "../support/platform.ts";

jest.setTimeout(500_000);
const examples = join(import.meta.dirname, "../../examples");
const notebook = join(examples, "notebook/lake.ipynb");
const tools = pythonTools("examples", "test/examples/requirements.txt");
const run = promisify(execFile);
const LIMIT_MS = 120_000;

test("a device learns what was refused and publishes what is right; a page shows it, a program reads it", async () => {
  await withPlatform(["--no-simulator"], { IDLE_TIMEOUT_MS: "2000", LAKE_BUFFER_MS: "2000" }, async (attempt) => {
    const browser = await browsers.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage();
      const connection = await cuttable(page);
      const sockets = `ws://127.0.0.1:${attempt.ports.api}`;
      await page.goto(`${pathToFileURL(join(examples, "browser/index.html")).href}?sensor=my-device&api=${sockets}`);
      await page.getByText("connected", { exact: true }).waitFor();
      await device(attempt, process.execPath, "main.ts");
      await shows(page, 100);
      await reads(attempt, 100);
      if (tools === undefined) return;
      await connection.cut();
      await page.getByText(/^not connected: next try in \d+ s$/).waitFor();
      await device(attempt, join(tools, "python"), "main.py");
      await reads(attempt, 200);
      await shows(page, 100);
      connection.restore();
      await page.getByText(/^connected, with [1-9]\d* windows that were missed$/).waitFor({ timeout: LIMIT_MS });
      await shows(page, 200);
      await finds(attempt, join(tools, "python"));
    } finally {
      await browser.close();
    }
  });
});

test("the notebook is kept without what it printed", () => {
  const code = readNotebook(notebook).cells.filter(({ cell_type: type }) => type === "code");
  expect(code.length).toBeGreaterThan(0);
  for (const cell of code) expect(cell).toMatchObject({ outputs: [], execution_count: null });
});

async function device({ ports }: Attempt, program: string, name: string): Promise<void> {
  const args = [join(examples, "device", name), "my-device", "127.0.0.1", String(ports.mqtt)];
  const { stdout } = await run(program, args, { timeout: LIMIT_MS });
  const refused = JSON.parse(/^refused: (.*)$/m.exec(stdout)![1]!) as Record<string, unknown>;
  // 1,000 is more than the 320 m/s² of the contract.
  expect(refused).toMatchObject({ code: "out-of-range", seq: 0, message: expect.stringContaining("1000") });
  expect(stdout).toContain("published: 10 messages");
}

/** Lets the page's WebSockets be cut and refused, until they are restored. */
async function cuttable(page: Page): Promise<{ cut: () => Promise<void>; restore: () => void }> {
  const open: WebSocketRoute[] = [];
  let isCut = false;
  await page.routeWebSocket(/.*/, async (socket) => {
    open.push(socket);
    if (isCut) await socket.close();
    else socket.connectToServer();
  });
  return {
    cut: async () => {
      isCut = true;
      for (const socket of open) await socket.close();
    },
    restore: () => (isCut = false),
  };
}

/** Waits until the windows of a second that a page shows have so many readings. */
async function shows(page: Page, readings: number): Promise<void> {
  const rows = page.locator("#windows tr").filter({ has: page.getByText("tumbling-1000", { exact: true }) });
  await eventually(async () => sum(await rows.locator("td:nth-child(3)").allTextContents()), {
    until: (shown) => shown === readings,
    limitMs: LIMIT_MS,
  });
  expect(await page.locator("#newest").textContent()).toMatch(/^9\.\d\d m\/s²$/);
}

/** Waits until the program in Python reads what a device has sent: windows fire when a sensor is silent. */
async function reads({ ports }: Attempt, readings: number): Promise<void> {
  const args = [join(examples, "client/sensors.py"), "my-device", `http://127.0.0.1:${ports.api}`];
  const read = async (): Promise<string> => {
    const { stdout } = await run("python3", args, { timeout: 60_000 }).catch((error: { stderr: string }) => ({
      stdout: error.stderr,
    }));
    return stdout;
  };
  const text = await eventually(read, {
    until: (shown) =>
      shown.includes(`windows of a second: ${readings}\n`) && shown.includes(`"rejected": ${readings / 100}`),
    limitMs: LIMIT_MS,
  });
  expect(text).toMatch(/^refused: out-of-range - \S+/m);
}

interface Notebook {
  readonly cells: readonly {
    readonly id: string;
    readonly cell_type: string;
    readonly outputs?: readonly { readonly data?: Readonly<Record<string, string | readonly string[]>> }[];
  }[];
}

/** Waits until the notebook finds what two runs of a device have sent, in the lake of the platform. */
async function finds({ folder }: Attempt, python: string): Promise<void> {
  const copy = join(folder, "lake.ipynb");
  const env = { ...process.env, LAKE_DIR: join(folder, "home/data/lake"), SENSOR: "my-device" };
  const execute = async (): Promise<Readonly<Record<string, string>>> => {
    copyFileSync(notebook, copy);
    await run(python, ["-c", "from nbclient.cli import main; main()", copy, "--inplace"], { env, timeout: LIMIT_MS });
    return Object.fromEntries(
      readNotebook(copy).cells.map(({ id, outputs }) => [
        id,
        [outputs?.[0]?.data?.["text/plain"] ?? ""].flat().join(""),
      ]),
    );
  };
  // Twice a message of one reading that was refused, and ten of ten readings. The last session ends after its windows.
  const counts = (table: string | undefined, row: RegExp): number =>
    sum([...(table ?? "").matchAll(row)].map(([, count]) => count!));
  const found = await eventually(execute, {
    until: ({ compared, sessions }) =>
      /│ +202 │ +200 │/.test(compared ?? "") && counts(sessions, /^│ my-device@\d+ │ .* │ +(\d+) │ /gm) === 200,
    limitMs: LIMIT_MS,
  });
  expect(found["readings"]).toMatch(/│ +0 │ .*│ +0\.0 │ +0\.0 │ 1000\.0 │/);
  expect(counts(found["windows"], /:\d\d │ +(\d+) │ +9\.8\d │/g)).toBe(200);
}

function readNotebook(file: string): Notebook {
  return JSON.parse(readFileSync(file, "utf8")) as Notebook;
}

function sum(counts: readonly string[]): number {
  return counts.reduce((all, count) => all + Number(count), 0);
}
