import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, jest, test } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { withPlatform } from "../support/platform.ts";

jest.setTimeout(500_000);
const example = join(import.meta.dirname, "../../examples/market/main.ts");

test("an application puts trades, and hears and reads the bar that they make", async () => {
  await withPlatform(["--market", "--no-simulator"], {}, async ({ ports }) => {
    const [api, events] = [`127.0.0.1:${ports.api}`, `http://127.0.0.1:${ports.events}`];
    const { stdout } = await promisify(execFile)(process.execPath, [example, "ACME", api, events], {
      timeout: 120_000,
    });
    const heard = JSON.parse(/^heard: (.*)$/m.exec(stdout)![1]!) as Record<string, unknown>;
    // 100 x 3 and 104 x 1, by hand.
    const bar = { symbol: "ACME", count: 2, open: 100, high: 104, low: 100, close: 104, volume: 4, vwap: 101 };
    expect(heard).toMatchObject({ ...bar, cause: "watermark" });
    // The store follows Kafka with a delay.
    const items = async (path: string): Promise<object[]> =>
      ((await (await fetch(`http://${api}${path}`)).json()) as { items: object[] }).items;
    await eventually(() => items("/symbols/ACME/bars"), {
      until: (bars) => bars.length > 0,
      limitMs: 60_000,
    });
    expect((await items("/symbols/ACME/bars")).at(-1)).toMatchObject(bar);
    // Bought 3 for 300, sold 1 for 104.
    await eventually(async () =>
      expect((await items("/positions?account=ACC-1"))[0]).toMatchObject({ quantity: 2, notional: 196, trades: 2 }),
    );
  });
});
