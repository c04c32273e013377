import { expect } from "@jest/globals";
import type { Page } from "playwright-core";
import { eventually } from "../support/eventually.ts";

/** Waits until the page says that the API is away, with the reason, and has counted down to its next try. */
export async function saysThatApiIsAway(page: Page): Promise<void> {
  await page
    .getByText(/The API has not answered since .*: there is no connection to it\..* What is grey is old\./)
    .waitFor();
  const counted = new Set<string | null>();
  await eventually(async () => {
    counted.add(await page.locator("#loss-retry").textContent());
    expect([...counted]).toEqual(expect.arrayContaining(["Next try in 3 s.", "Next try in 2 s.", "Next try in 1 s."]));
  });
}

/** Which of these parts of the page are greyed. */
export function greyed(page: Page, selectors: readonly string[]): Promise<unknown> {
  return page.evaluate(
    `${JSON.stringify(selectors)}.filter((one) => {
      for (let part = document.querySelector(one); part; part = part.parentElement)
        if (getComputedStyle(part).filter === "grayscale(1)") return true;
      return false;
    })`,
  );
}
