import type { Page } from "playwright-core";

/**
 * What Lighthouse calls best practices, as far as a page can break them here: what the browser logs as an error, throws
 * or reports as an issue (deprecated functions among them), and how the document begins. Empty where all is well.
 */
export async function badPractices(page: Page): Promise<string[]> {
  const found: string[] = [];
  const browser = await page.context().newCDPSession(page);
  browser.on("Log.entryAdded", ({ entry }) => {
    if (entry.level === "error") found.push(`logged: ${entry.text} ${entry.url ?? ""}`);
  });
  browser.on("Runtime.exceptionThrown", ({ exceptionDetails }) => found.push(`thrown: ${exceptionDetails.text}`));
  browser.on("Runtime.consoleAPICalled", ({ type, args }) => {
    if (type === "error" || type === "assert") found.push(`console: ${JSON.stringify(args.map(({ value }) => value))}`);
  });
  browser.on("Audits.issueAdded", ({ issue }) => found.push(`issue: ${issue.code} ${JSON.stringify(issue.details)}`));
  // Each gives what was collected before, and answers afterwards.
  for (const domain of ["Log", "Runtime", "Audits"] as const) await browser.send(`${domain}.enable`);
  await browser.detach();
  const document = (await page.evaluate(`({
    doctype: document.doctype?.name,
    mode: document.compatMode,
    charset: document.characterSet,
    viewport: document.querySelector("meta[name=viewport]")?.content,
    distorted: [...document.images].filter((image) => image.clientHeight > 0 &&
      Math.abs(image.naturalWidth / image.naturalHeight - image.clientWidth / image.clientHeight) > 0.05).length,
  })`)) as Record<string, unknown>;
  const wanted = {
    doctype: "html",
    mode: "CSS1Compat",
    charset: "UTF-8",
    viewport: "width=device-width, initial-scale=1",
    distorted: 0,
  };
  for (const [name, value] of Object.entries(wanted))
    if (document[name] !== value) found.push(`document: ${name} is ${String(document[name])}, not ${value}`);
  return found;
}
