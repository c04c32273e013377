import { afterAll, afterEach, beforeAll, beforeEach, expect } from "@jest/globals";
import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserContextOptions, chromium as browsers, type Page } from "playwright-core";
import { bundlePage } from "../../dashboard/build/bundle.ts";
import { startDashboard } from "../../local/gateway/dashboard.ts";
import { now } from "./market-records.ts";
import { PageApi } from "./page-api.ts";

export interface Stage {
  /** The API that the page of this test talks to, without data. */
  readonly api: PageApi;
  /** Opens an address of the page, which believes to be half a minute after `now`. */
  readonly open: (address: string, options?: BrowserContextOptions) => Promise<Page>;
}

/**
 * Gives each test of the file the page in a browser, and an API of its own. A test fails when the browser refuses
 * something by the Content-Security-Policy, the API a request, or the page throws.
 */
export function usePage(): () => Stage {
  let browser: Browser;
  let folder: string;
  let api: PageApi;
  let dashboard: Awaited<ReturnType<typeof startDashboard>>;
  let refused: string[];
  beforeAll(async () => {
    folder = bundlePage();
    browser = await browsers.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox"] });
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    refused = [];
    api = new PageApi();
    await api.start();
    dashboard = await startDashboard({
      port: 0,
      folder,
      apiPort: api.port,
      statusPort: api.port,
      mqttUrl: "mqtt://127.0.0.1:21883",
      environment: "local",
    });
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    await dashboard.close();
    await api.stop();
    expect([...refused, ...api.refused]).toEqual([]);
  });
  const open = async (address: string, options: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext({
      locale: "en-US",
      timezoneId: "UTC",
      viewport: { width: 1280, height: 1000 },
      colorScheme: "light",
      ...options,
    });
    const page = await context.newPage();
    await page.clock.setFixedTime(now + 30_000);
    page.on("pageerror", ({ message }) => refused.push(message));
    page.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text())) refused.push(message.text());
    });
    await page.goto(`http://127.0.0.1:${dashboard.port}/${address}`);
    return page;
  };
  return () => ({ api, open });
}
