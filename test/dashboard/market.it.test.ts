import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "@jest/globals";
import type { BrowserContextOptions, Page } from "playwright-core";
import { eventually } from "../support/eventually.ts";
import { usePage } from "./browser.ts";
import { alert, bar, now, someMarket, trade } from "./market-records.ts";
import type { PageApi } from "./page-api.ts";

const MINUTE = 60_000;
const root = join(import.meta.dirname, "..", "..");
/** Of the style sheet: rising and falling candles, and the ground they stand on, in light and dark. */
const colours = {
  light: { up: [15, 118, 110], down: [194, 65, 12], card: [255, 255, 255] },
  dark: { up: [45, 212, 191], down: [251, 146, 60], card: [23, 32, 31] },
};

let open: (address: string, options?: BrowserContextOptions) => Promise<Page>;
let api: PageApi;
let page: Page;

const stage = usePage();
beforeEach(() => {
  ({ api, open } = stage());
  Object.assign(api.data, someMarket());
});

/** Opens the view of a symbol, and waits until its history is there and messages reach it. */
async function openSymbol(symbol: string, options?: BrowserContextOptions): Promise<void> {
  page = await open(`#/market/${symbol}`, options);
  await eventually(() => {
    expect([...api.subscriptions]).toEqual([symbol]);
  });
  await eventually(async () => {
    expect(await rows("#bars")).toHaveLength(20);
  });
}

/** The cells of a table's rows. */
function rows(body: string): Promise<string[][]> {
  return page
    .locator(`${body} tr`)
    .evaluateAll((all) =>
      all.map((row) => [...(row as unknown as { cells: { textContent: string }[] }).cells].map((c) => c.textContent)),
    );
}

/** The newest bars as the page shows them, with the prices and after: open, high, low, close, volume, vwap, … */
async function newestBars(count: number): Promise<string[][]> {
  return (await rows("#bars")).slice(0, count).map((cells) => cells.slice(1));
}

async function figures(): Promise<Record<string, string>> {
  const terms = await page.locator("#bar-figures dt").allTextContents();
  const values = await page.locator("#bar-figures dd").allTextContents();
  return Object.fromEntries(terms.map((term, i) => [term, values[i]!]));
}

function symbolList(): Promise<(string | null)[]> {
  return page.locator("#symbols button").evaluateAll((all) => all.map((one) => one.getAttribute("data-name")));
}

/** How many pixels of the chart's canvases have a colour. */
function pixels([red, green, blue]: readonly number[]): Promise<number> {
  return page.evaluate(`[...document.querySelectorAll("#candles canvas")].reduce((sum, canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width || 1, canvas.height || 1);
    for (let i = 0; i < data.length; i += 4)
      if (data[i] === ${red} && data[i + 1] === ${green} && data[i + 2] === ${blue} && data[i + 3] === 255) sum++;
    return sum;
  }, 0)`);
}

test("the market is linked where the API has it, and shows the most recently traded symbol", async () => {
  page = await open("");
  await page.getByRole("link", { name: "Market" }).click();
  await eventually(() => {
    expect(page.url()).toMatch(/#\/market\/AAPL$/);
  });
  expect(await page.title()).toBe("AAPL · Millrace");
  // AAPL and TSLA were traded in the same minute, AAPL more often.
  expect(await symbolList()).toEqual(["AAPL", "TSLA", "BTC-USD", "MSFT"]);
  expect(await page.locator("#symbols button").allTextContents()).toEqual([
    "AAPL148.95",
    "TSLA250.50",
    "BTC-USD64,012.50",
    "MSFT",
  ]);
  expect(await page.locator("#metric-lag").textContent()).toBe("7");
  expect(await page.locator("#symbols [aria-pressed=true]").getAttribute("data-name")).toBe("AAPL");
  await eventually(async () => {
    expect(await pixels(colours.light.up)).toBeGreaterThan(1_000);
    expect(await pixels(colours.light.down)).toBeGreaterThan(1_000);
  });
  expect(await page.getByRole("img", { name: "85 candles of AAPL" }).count()).toBe(1);
});

test("where the API has no market, nothing links to it, and its address says so", async () => {
  api.market = false;
  page = await open("#/market/AAPL");
  await page.getByText("This environment does not run the market.").waitFor();
  expect(await page.getByRole("link", { name: "Market" }).count()).toBe(0);
});

test("the address names the symbol and the operator, and follows the choice of both", async () => {
  await openSymbol("AAPL");
  await page.getByRole("button", { name: "BTC-USD" }).click();
  await page.getByRole("heading", { name: "BTC-USD", exact: true }).waitFor();
  await eventually(() => {
    expect([...api.subscriptions]).toEqual(["BTC-USD"]);
  });
  await page.getByLabel("5 min, sliding by 1 min").check();
  expect(page.url()).toMatch(/#\/market\/BTC-USD\?operator=sliding-300000-60000$/);
  const address = page.url();
  await eventually(async () => {
    const [newest] = await rows("#bars");
    expect(newest![0]).toBe(`${clock(now - 5 * MINUTE)} – ${clock(now)}`);
    expect(Number(newest![1]!.replaceAll(",", ""))).toBeGreaterThan(60_000);
  });
  await page.goBack();
  await page.goBack();
  await page.getByRole("heading", { name: "AAPL", exact: true }).waitFor();
  await page.goto("about:blank");
  await page.goto(address);
  await page.getByRole("heading", { name: "BTC-USD", exact: true }).waitFor();
  expect(await page.getByLabel("5 min, sliding by 1 min").isChecked()).toBe(true);
});

test("keys move through the symbols, and a refresh keeps the focus and the order under it", async () => {
  await openSymbol("AAPL");
  await page.getByRole("button", { name: "AAPL" }).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  api.data.symbols = [
    ...api.data.symbols.map((one) => (one.symbol === "MSFT" ? { ...one, lastSeen: now + 2 * MINUTE } : one)),
    { symbol: "NVDA", lastSeen: now + MINUTE, lastClose: 4, trades: 1 },
  ];
  await eventually(async () => {
    expect(await symbolList()).toEqual(["AAPL", "TSLA", "BTC-USD", "MSFT", "NVDA"]);
  });
  expect(await page.evaluate("document.activeElement.dataset.name")).toBe("BTC-USD");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "BTC-USD", exact: true }).waitFor();
  expect(await page.evaluate("document.activeElement.dataset.name")).toBe("BTC-USD");
  await page.getByLabel("Find a symbol").focus();
  await eventually(async () => {
    expect(await symbolList()).toEqual(["MSFT", "NVDA", "AAPL", "TSLA", "BTC-USD"]);
  });
  await page.keyboard.type("a");
  expect(await symbolList()).toEqual(["NVDA", "AAPL", "TSLA"]);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "NVDA", exact: true }).waitFor();
  await page.keyboard.type("cme.es");
  await page.keyboard.press("Enter");
  await page.getByText("There is no bar of ACME.ES yet.").waitFor();
});

test("after a click the order follows the activity, and the button keeps the focus", async () => {
  await openSymbol("AAPL");
  await page.getByRole("button", { name: "BTC-USD" }).click();
  await page.mouse.move(900, 600);
  api.data.symbols = api.data.symbols.map((one) => (one.symbol === "MSFT" ? { ...one, lastSeen: now + MINUTE } : one));
  await eventually(async () => {
    expect(await symbolList()).toEqual(["MSFT", "AAPL", "TSLA", "BTC-USD"]);
  });
  expect(await page.evaluate("document.activeElement.dataset.name")).toBe("BTC-USD");
});

test("what came while the sensors were shown is there afterwards", async () => {
  await openSymbol("AAPL");
  await page.getByRole("link", { name: "Live" }).click();
  await eventually(() => {
    expect([...api.subscriptions]).toEqual([]);
  });
  api.data.bars = [...api.data.bars, bar("AAPL", now, { open: 1, high: 1, low: 1, close: 1 })];
  await page.getByRole("link", { name: "Market" }).click();
  await eventually(async () => {
    expect((await newestBars(1))[0]![0]).toBe("1.00");
  });
  expect(page.url()).toMatch(/#\/market\/AAPL$/);
  expect([...api.subscriptions]).toEqual(["AAPL"]);
});

test("a bar that the live feed has lost is there with the next refresh", async () => {
  await openSymbol("AAPL");
  api.data.bars = [...api.data.bars, bar("AAPL", now, { open: 1, high: 1, low: 1, close: 1 })];
  await eventually(async () => {
    expect((await newestBars(1))[0]![0]).toBe("1.00");
  });
});

test("the bars before are loaded when the chart comes to its beginning", async () => {
  const flat = { open: 150, high: 151, low: 149, close: 150.5, volume: 10, vwap: 150 };
  const bars = Array.from({ length: 700 }, (_, i) => bar("AAPL", now - (700 - i) * MINUTE, flat));
  api.data.bars = bars;
  await openSymbol("AAPL");
  await page.getByRole("img", { name: "300 candles of AAPL" }).waitFor();
  const box = (await page.locator("#candles").boundingBox())!;
  await page.mouse.move(box.x + 300, box.y + 100);
  // The wheel moves the chart sideways; the page asks for more each time that it comes to the beginning.
  await eventually(async () => {
    await page.mouse.wheel(-2_000, 0);
    expect(await page.locator("#candles").getAttribute("aria-label")).toMatch(/^700 candles of AAPL/);
  });
});

test("a revision replaces its candle, and an earlier one does not return", async () => {
  await openSymbol("AAPL");
  const start = now - MINUTE;
  const revised = {
    open: 150,
    high: 155.5,
    low: 149,
    close: 155,
    volume: 1_234.5,
    vwap: 152.25,
    count: 9,
    cancelled: 2,
  };
  api.send(
    { type: "bar", data: bar("AAPL", start, { ...revised, revision: 2 }) },
    { type: "bar", data: bar("AAPL", start, { ...revised, count: 1, high: 999, revision: 1 }) },
  );
  const shown = ["150.00", "155.50", "149.00", "155.00", "1,234.5", "152.25", "9", "0", "2", "revision 2"];
  await eventually(async () => {
    expect(await newestBars(1)).toEqual([shown]);
  });
  expect(await rows("#bars")).toHaveLength(20);
  expect(await figures()).toMatchObject({
    vwap: "152.25",
    count: "9 trades",
    cancelled: "2 trades",
    pending: "0 trades",
  });
  expect(await page.locator("#last-price").textContent()).toBe("155.00");
  // A revision of an older candle stays in its place.
  api.send({ type: "bar", data: bar("AAPL", start - MINUTE, { ...revised, close: 151, revision: 1 }) });
  await eventually(async () => {
    expect((await newestBars(2)).map((cells) => cells.at(-1))).toEqual(["revision 2", "revision 1"]);
  });
});

test("trades form the candle of the running minute until its bar arrives", async () => {
  const start = now;
  const early = { open: 148, high: 160, low: 147.5, close: 150, volume: 10, vwap: 149, cancelled: 1 };
  const late = { open: 149, high: 152, low: 140, close: 151, volume: 20, vwap: 150 };
  api.data.bars = [
    ...api.data.bars.filter(({ window }) => window.end <= now - 4 * MINUTE),
    bar("AAPL", now - 4 * MINUTE, early),
    bar("AAPL", now - 2 * MINUTE, { count: 0, pending: 2, firstTrade: null, lastTrade: null }),
    bar("AAPL", now - MINUTE, late),
  ];
  await openSymbol("AAPL");
  const at = (second: number): number => start + second * 1_000;
  api.send(
    { type: "trade", data: trade("AAPL", "A", at(5), { price: 151, quantity: 10 }) },
    { type: "trade", data: trade("AAPL", "B", at(3), { price: 150.5, quantity: 30 }) },
    { type: "trade", data: trade("AAPL", "C", at(9), { price: 149, quantity: 20 }) },
    { type: "trade", data: trade("AAPL", "D", at(10), { price: 900, quantity: 1, status: "pending" }) },
    { type: "trade", data: trade("AAPL", "E", at(11), { price: 158, quantity: 40 }) },
    { type: "trade", data: trade("AAPL", "F", at(12), {}) },
  );
  // By hand: B, A, C, E by event time; volume 10 + 30 + 20 + 40; (1,510 + 4,515 + 2,980 + 6,320) / 100 = 153.25.
  await eventually(async () => {
    expect(await newestBars(1)).toEqual([
      ["150.50", "158.00", "149.00", "158.00", "100", "153.25", "5", "1", "0", "forming"],
    ]);
  });
  expect(await page.locator("#bar-of").textContent()).toMatch(/not final: the trades that this page has seen so far$/);
  api.send({ type: "dropped", data: { symbol: "AAPL", trades: 1_200 } });
  await page.getByText("1,200 were skipped, the page was too slow").waitFor();
  expect(await page.locator("#last-price").textContent()).toBe("158.00 USD");
  expect(await page.locator("#last-at").textContent()).toBe(`at ${clock(at(12))}`);
  // E is cancelled, D is executed, and A is told again: (1,510 + 4,515 + 2,980 + 900) / 61 = 162.377…
  api.send(
    { type: "trade", data: trade("AAPL", "E", at(11), { price: 158, quantity: 40, status: "cancelled" }) },
    { type: "trade", data: trade("AAPL", "D", at(10), { price: 900, quantity: 1, status: "executed" }) },
    { type: "trade", data: trade("AAPL", "A", at(5), { price: 151, quantity: 10, status: "pending" }) },
  );
  await eventually(async () => {
    expect(await newestBars(1)).toEqual([
      ["150.50", "900.00", "149.00", "900.00", "61", "162.38", "5", "0", "1", "forming"],
    ]);
  });
  // The five minutes that end with this one: volume 10 + 20 + 61; (1,490 + 3,000 + 9,905) / 91 = 158.186…
  await page.getByLabel("5 min, sliding by 1 min").check();
  await eventually(async () => {
    expect((await rows("#bars"))[0]).toEqual([
      `${clock(now - 4 * MINUTE)} – ${clock(now + MINUTE)}`,
      ...["148.00", "900.00", "140.00", "900.00", "91", "158.19", "13", "2", "2", "forming"],
    ]);
  });
  await page.getByLabel("1 min", { exact: true }).check();
  api.send({ type: "bar", data: bar("AAPL", start, { open: 1, high: 4, low: 0.5, close: 2, volume: 7, vwap: 1.5 }) });
  const final = ["1.00", "4.00", "0.50", "2.00", "7", "1.50", "4", "0", "0", "final"];
  await eventually(async () => {
    expect((await newestBars(1))[0]).toEqual(final);
  });
  // A trade of that minute is in the bar, or will be in a revision of it.
  api.send({ type: "trade", data: trade("AAPL", "G", at(30), { price: 777, quantity: 1 }) });
  api.send({ type: "trade", data: trade("AAPL", "H", at(61), { price: 3, quantity: 1 }) });
  await eventually(async () => {
    expect(await newestBars(2)).toEqual([
      ["3.00", "3.00", "3.00", "3.00", "1", "3.00", "1", "0", "0", "forming"],
      final,
    ]);
  });
});

test("a symbol without bars says so, until its first bar", async () => {
  page = await open("#/market/MSFT");
  await page.getByText("There is no bar of MSFT yet.").waitFor();
  await eventually(() => {
    expect([...api.subscriptions]).toEqual(["MSFT"]);
  });
  api.data.bars = [bar("MSFT", now - 2 * MINUTE, { open: 4, high: 4, low: 4, close: 4 })];
  api.send({ type: "bar", data: bar("MSFT", now - MINUTE, { open: 5, high: 5, low: 5, close: 5 }) });
  await eventually(async () => {
    expect((await newestBars(2)).map(([price]) => price)).toEqual(["5.00", "4.00"]);
  });
  expect(await page.locator("#market-notice").isVisible()).toBe(false);
});

test("a bar without prices is a gap with dashes", async () => {
  await openSymbol("AAPL");
  const before = await pixels(colours.light.up);
  api.send({ type: "bar", data: bar("AAPL", now, { count: 0, cancelled: 3, lastTrade: null, firstTrade: null }) });
  await eventually(async () => {
    expect(await newestBars(1)).toEqual([["–", "–", "–", "–", "–", "–", "0", "0", "3", "final"]]);
  });
  expect(await figures()).toMatchObject({
    open: "–",
    vwap: "–",
    volume: "–",
    count: "0 trades",
    cancelled: "3 trades",
  });
  expect(before).toBeGreaterThan(1_000);
  expect(await pixels(colours.light.up)).toBeGreaterThan(1_000);
});

test("an alert appears, says what broke which limit, and is struck through when it is withdrawn", async () => {
  await openSymbol("AAPL");
  const times = [clock(now - 3 * MINUTE), clock(now - 9 * MINUTE)];
  const older = [
    [times[0], "MEDIUM", "AAPL", "off-price", "7.25 %", "5 %", "T-2", "ACC-7", "raised"],
    [times[1], "HIGH", "AAPL", "large-trade", "2,000,000 USD", "1,000,000 USD", "T-1", "ACC-7", "withdrawn"],
  ];
  await eventually(async () => {
    expect(await rows("#alerts")).toEqual(older);
  });
  expect(await page.locator("#alerts s").allTextContents()).toEqual(["large-trade"]);
  api.send({ type: "alert", data: alert("AAPL", "T-3", now) });
  const newest = [clock(now), "HIGH", "AAPL", "large-trade", "2,000,000 USD", "1,000,000 USD", "T-3", "ACC-7"];
  await eventually(async () => {
    expect(await rows("#alerts")).toEqual([[...newest, "raised"], ...older]);
  });
  api.send({ type: "alert", data: alert("AAPL", "T-3", now, { status: "withdrawn", revision: 1 }) });
  api.send({ type: "alert", data: alert("AAPL", "T-3", now) });
  await eventually(async () => {
    expect(await rows("#alerts")).toEqual([[...newest, "withdrawn"], ...older]);
  });
  expect(await page.locator("#alerts s").count()).toBe(2);
  await page.getByLabel("of all symbols").check();
  await eventually(async () => {
    expect((await rows("#alerts")).map((cells) => [cells[1], cells[2], cells[4]])).toContainEqual([
      "CRITICAL",
      "BTC-USD",
      "–",
    ]);
  });
});

test("positions are those of the symbol, or of an account where one is asked for", async () => {
  await openSymbol("AAPL");
  await eventually(async () => {
    expect((await rows("#positions")).map((cells) => cells.slice(0, 5))).toEqual([
      ["ACC-7", "AAPL", "1,200", "180,300 USD", "12"],
      ["ACC-12", "AAPL", "-340.5", "-51,120.75 USD", "12"],
    ]);
  });
  await page.getByLabel("Positions of an account").fill("ACC-7");
  await eventually(async () => {
    expect((await rows("#positions")).map(([account, symbol]) => [account, symbol])).toEqual([
      ["ACC-7", "AAPL"],
      ["ACC-7", "BTC-USD"],
    ]);
  });
});

test("what is lost is said and greyed, and what was missed is there when it is back", async () => {
  await openSymbol("AAPL");
  expect(await page.locator("#loss").isVisible()).toBe(false);
  await api.stop();
  await page.getByText("The live feed has been cut since").waitFor();
  await page.getByText("The API has not answered since").waitFor();
  const filters = async (): Promise<unknown> =>
    page.evaluate(
      `["#candles", "#alerts", "#symbols"].map((one) => getComputedStyle(document.querySelector(one)).filter)`,
    );
  expect(await filters()).toEqual(["grayscale(1)", "grayscale(1)", "grayscale(1)"]);
  expect(await rows("#bars")).toHaveLength(20);
  api.data.bars = [...api.data.bars, bar("AAPL", now, { open: 1, high: 1, low: 1, close: 1, volume: 1, vwap: 1 })];
  await api.start();
  await eventually(async () => {
    expect((await newestBars(1))[0]![3]).toBe("1.00");
  });
  await page.locator("#loss").waitFor({ state: "hidden" });
  expect(await filters()).toEqual(["none", "none", "none"]);
});

test.each(["light", "dark"] as const)("390 pixels are wide enough, in %s", async (colorScheme) => {
  await openSymbol("AAPL", { viewport: { width: 390, height: 844 }, colorScheme });
  const { up, down, card } = colours[colorScheme];
  await eventually(async () => {
    for (const colour of [up, down, card]) expect(await pixels(colour)).toBeGreaterThan(200);
  });
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
  const box = await page.locator("#candles").boundingBox();
  expect([box!.x >= 0, box!.x + box!.width <= 390]).toEqual([true, true]);
});

test("the page has the library's notice and the link that its licence wants", async () => {
  const file = readFileSync(
    join(root, "node_modules", "lightweight-charts", "dist", "lightweight-charts.production.mjs"),
    "utf8",
  );
  const owner = /Copyright \(c\) \d{4} TradingView, Inc\./.exec(file)![0];
  await openSymbol("AAPL");
  const notice = page.locator(".attribution");
  expect(await notice.textContent()).toContain("TradingView Lightweight Charts™");
  expect(await notice.textContent()).toContain(owner);
  expect(await notice.getByRole("link").getAttribute("href")).toBe("https://www.tradingview.com/");
});

function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-US", { timeZone: "UTC" });
}
