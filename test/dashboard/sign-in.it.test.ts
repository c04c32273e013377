import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import chromium from "@sparticuz/chromium";
import type { APIGatewayAuthorizerResult } from "aws-lambda";
import { type Browser, type BrowserContext, chromium as browsers, type Page } from "playwright-core";
import { bundlePage } from "../../dashboard/build/bundle.ts";
import { type FunctionProcess, startFunction } from "../lambda/function-process.ts";
import { eventually } from "../support/eventually.ts";
import { violations } from "./axe.ts";
import { DeployedPage } from "./deployed-page.ts";
import { AUDIENCE, CLIENT_ID, Issuer } from "./issuer.ts";
import { now } from "./market-records.ts";
import { PageApi } from "./page-api.ts";
import { sensorOf } from "./sensor-records.ts";

const issuer = new Issuer();
const site = new DeployedPage(bundlePage());
let browser: Browser;
let context: BrowserContext;
let api: PageApi;
let authorizer: FunctionProcess;
/** What the authorizer said of each request that had a header. */
let said: { readonly principalId: string; readonly operator: unknown }[];
/** Connections that the policy refused, and what the page threw. */
let refused: string[];

beforeAll(async () => {
  browser = await browsers.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox"] });
  await site.start();
  await issuer.start(site.url);
  // The function as on AWS: it fetches the issuer's keys by itself, over TLS.
  authorizer = startFunction("authorize-request", {
    JWT_ISSUER: issuer.url,
    JWT_AUDIENCE: AUDIENCE,
    JWKS_URI: `${issuer.url}/jwks`,
    NODE_EXTRA_CA_CERTS: issuer.certificate,
  });
});
afterAll(async () => {
  await browser.close();
  await authorizer.stop();
  await site.stop();
  await issuer.stop();
});

beforeEach(async () => {
  [said, refused] = [[], []];
  issuer.tokenSeconds = 3_600;
  issuer.grants.length = 0;
  api = new PageApi();
  api.data.sensors = [sensorOf("s1", now), sensorOf("s2", now)];
  api.authorize = async (authorizationToken) => {
    const methodArn = "arn:aws:execute-api:us-east-1:123456789012:api1/v1/GET/sensors";
    const asked = authorizer.invoke<APIGatewayAuthorizerResult>({ type: "TOKEN", methodArn, authorizationToken });
    const result = await asked.catch(() => null);
    if (result) said.push({ principalId: result.principalId, operator: result.context?.["operator"] });
    return result !== null;
  };
  await api.start();
  site.connectsTo = [`http://127.0.0.1:${api.port}`, `ws://127.0.0.1:${api.port}`, issuer.url];
  site.config = {
    environment: "test",
    restUrl: `http://127.0.0.1:${api.port}`,
    webSocketUrl: `ws://127.0.0.1:${api.port}`,
    operations: true,
    signIn: {
      issuer: issuer.url,
      clientId: CLIENT_ID,
      scopes: ["openid", "email", "groups", "offline_access"],
      // OpenID Connect Core, section 11: only who is asked for consent gives offline access.
      parameters: { prompt: "consent" },
      groupsClaim: "groups",
      operatorsGroup: "operators",
    },
  };
  context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 1000 } });
});
afterEach(async () => {
  await context.close();
  await api.stop();
  expect(refused).toEqual([]);
});

async function open(address: string): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", ({ message }) => refused.push(message));
  page.on("console", (message) => {
    if (/Content Security Policy/i.test(message.text()) && page.url().startsWith(site.url))
      refused.push(message.text());
  });
  await page.goto(site.url + address);
  return page;
}

/** Fills in the issuer's own pages. */
async function logIn(page: Page, name: string): Promise<void> {
  await page.waitForURL(`${issuer.url}/**`);
  await page.fill('input[name="login"]', name);
  await page.fill('input[name="password"]', "any");
  await page.click('button[type="submit"]');
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(`${site.url}**`);
}
const listed = (page: Page): Promise<string[]> => page.locator("#live-view .choices b").allTextContents();
const shown = (page: Page, selector: string): Promise<boolean> => page.locator(selector).isVisible();
const tokens = (page: Page): Promise<string | null> => page.evaluate('sessionStorage.getItem("millrace-session")');

test("who opens an address signs in at the issuer, and is back at it with data", async () => {
  const page = await open("#/live?sensors=s2");
  await logIn(page, "ben");
  await eventually(async () => expect(await listed(page)).toEqual(["s1", "s2"]));
  expect(page.url()).toBe(`${site.url}#/live?sensors=s2`);
  expect(await page.locator("#session-name").textContent()).toBe("ben@example.com");
  expect([...api.subscriptions]).toEqual(["s2"]);
  expect([...new Set(said.map((one) => JSON.stringify(one)))]).toEqual(['{"principalId":"ben","operator":"false"}']);
  expect(issuer.grants).toEqual(["authorization_code"]);
  // The session is the tab's: it outlasts a reload, without the issuer.
  await page.reload();
  await eventually(async () => expect(await listed(page)).toEqual(["s1", "s2"]));
  expect(issuer.grants).toEqual(["authorization_code"]);
});

test("operators' views are there for members of the operators' group alone", async () => {
  const page = await open("#/operations");
  await logIn(page, "ben");
  await eventually(async () => expect(await listed(page)).toEqual(["s1", "s2"]));
  const links = ["#operations-link", "#pipeline-link", "#session-operator"];
  expect(await Promise.all(links.map((link) => shown(page, link)))).toEqual([false, false, false]);
  await context.clearCookies();
  const other = await open("#/live");
  await logIn(other, "anna");
  await eventually(async () => expect(await listed(other)).toEqual(["s1", "s2"]));
  expect(await Promise.all(links.map((link) => shown(other, link)))).toEqual([true, true, true]);
  expect(said).toContainEqual({ principalId: "anna", operator: "true" });
  expect(await violations(other)).toEqual([]);
});

test("an answer with another state, or one that nobody has asked for, gives no session", async () => {
  const page = await open("#/live");
  await page.waitForURL(`${issuer.url}/**`);
  await page.goto(`${site.url}?code=stolen&state=anothers&iss=${encodeURIComponent(issuer.url)}`);
  await page.locator("#login").waitFor();
  expect(await page.locator("#login-problem").textContent()).toContain('unexpected "state"');
  expect([await tokens(page), page.url(), issuer.grants]).toEqual([null, `${site.url}#/live`, []]);
  expect(await violations(page)).toEqual([]);
  const fresh = await open(`?code=stolen&state=anothers&iss=${encodeURIComponent(issuer.url)}`);
  await fresh.locator("#login").waitFor();
  expect(await fresh.locator("#login-problem").textContent()).toContain("this tab has not asked for it");
  expect(await tokens(fresh)).toBeNull();
});

test("what the issuer refuses is on the page in its own words, and one can try again", async () => {
  const page = await open("#/sessions");
  await page.waitForURL(`${issuer.url}/**`);
  await page.getByText("Cancel").click();
  await page.locator("#login").waitFor();
  expect(await page.locator("#login-problem").textContent()).toContain("access_denied");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Sign in" }).click();
  await logIn(page, "ben");
  await eventually(async () => expect(await shown(page, "#sessions-view")).toBe(true));
  expect(page.url()).toBe(`${site.url}#/sessions`);
});

test("a session is renewed before its token ends; when it can't be, the page asks and keeps its address", async () => {
  // Within the time before the end at which the page renews.
  issuer.tokenSeconds = 20;
  const page = await open("#/sensor/s1");
  await logIn(page, "ben");
  await eventually(async () => expect(issuer.grants).toContain("refresh_token"));
  await eventually(async () => expect(await shown(page, "#sensor-view")).toBe(true));
  expect(await shown(page, "#login")).toBe(false);
  await issuer.revokeAll();
  await page.locator("#login").waitFor();
  expect(await page.locator("#login-why").textContent()).toContain("Your session has ended");
  expect([await tokens(page), page.url()]).toEqual([null, `${site.url}#/sensor/s1`]);
  issuer.tokenSeconds = 3_600;
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(`${site.url}#/sensor/s1`);
  await eventually(async () => expect(await page.locator("#session-name").textContent()).toBe("ben@example.com"));
});

test("a token that the API no longer takes ends the session", async () => {
  const page = await open("#/live");
  await logIn(page, "ben");
  await eventually(async () => expect(await listed(page)).toEqual(["s1", "s2"]));
  api.authorize = async () => false;
  await page.locator("#login").waitFor();
  expect(await tokens(page)).toBeNull();
});

test("who signs out is signed out at the issuer, too, and is asked before the page leaves for it again", async () => {
  const page = await open("#/live");
  await logIn(page, "ben");
  await eventually(async () => expect(await listed(page)).toEqual(["s1", "s2"]));
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${issuer.url}/**`);
  await page.getByRole("button", { name: /yes/i }).click();
  await page.waitForURL(site.url);
  await page.locator("#login").waitFor();
  expect(await page.locator("#login-why").textContent()).toBe("You are signed out.");
  expect(await tokens(page)).toBeNull();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${issuer.url}/**`);
  expect(await page.locator('input[name="login"]').isVisible()).toBe(true);
});

test("an issuer that does not answer is said, and asked again when one wants it", async () => {
  const { signIn, ...rest } = site.config as { signIn: object };
  site.config = { ...rest, signIn: { ...signIn, issuer: "https://localhost:1" } };
  site.connectsTo = ["https://localhost:1"];
  const page = await open("#/live");
  await page.locator("#login").waitFor();
  expect(await page.locator("#login-why").textContent()).toBe("The issuer https://localhost:1 can't be reached.");
  expect(await page.locator("#login-problem").textContent()).toContain("fetch");
});
