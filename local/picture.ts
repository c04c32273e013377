// `npm run picture -- [--url URL] [--file FILE]`: takes a picture of the dashboard of a running `npm start`.
import chromium from "@sparticuz/chromium";
import { chromium as browsers } from "playwright-core";
import { parseCommandLine, text } from "../adapters/command-line.ts";
import { runCommand } from "../adapters/run-command.ts";
import { LOOPBACK, localPorts } from "../config/local.ts";

const DEFAULT_URL = `http://${LOOPBACK}:${localPorts.dashboard}`;
const DEFAULT_FILE = "docs/images/dashboard.png";
const USAGE = `npm run picture -- [--url URL] [--file FILE]
Takes a picture of the dashboard, with the platform running and a model that scores, or bars of the market.
  --url URL    the page (default: ${DEFAULT_URL})
  --file FILE  where the picture goes (default: ${DEFAULT_FILE})`;
const SIZE = { width: 1280, height: 720 };
/** The activity of a sensor, which is there once a model has scored; in the view of the market, a bar. */
const READY = ".shares li, #bars tr";
/** The charts show thirty seconds, of which they begin with means: by then the readings fill them. */
const TRACE_MS = 32_000;

await runCommand(async (args) => {
  const { values } = parseCommandLine(args, { usage: USAGE, options: { url: text, file: text } });
  const browser = await browsers.launch({ executablePath: await chromium.executablePath(), args: chromium.args });
  try {
    const page = await browser.newPage({ viewport: SIZE, colorScheme: "light", locale: "en-US" });
    await page.goto(values.url ?? DEFAULT_URL);
    await page.waitForSelector(READY, { state: "attached" });
    await page.waitForTimeout(TRACE_MS);
    await page.screenshot({ path: values.file ?? DEFAULT_FILE });
  } finally {
    await browser.close();
  }
});
