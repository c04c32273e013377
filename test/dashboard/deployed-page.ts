import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { dashboardPolicy } from "../../domain/dashboard.ts";

const types: Readonly<Record<string, string>> = {
  "index.html": "text/html; charset=utf-8",
  "app.js": "text/javascript",
  "style.css": "text/css",
  "icon.svg": "image/svg+xml",
};

/** The page's files as CloudFront serves them, with a `config.json` and a policy that a test gives. */
export class DeployedPage {
  readonly #server = createServer(({ url = "/" }, response) => {
    const name = new URL(url, this.url).pathname.slice(1) || "index.html";
    response.setHeader("content-security-policy", dashboardPolicy(this.connectsTo));
    if (name === "config.json") response.end(JSON.stringify(this.config));
    else if (types[name] === undefined) response.writeHead(404).end();
    else response.setHeader("content-type", types[name]).end(readFileSync(join(this.#folder, name)));
  });
  readonly #folder: string;
  config: object = {};
  /** Origins that the policy lets it connect to. */
  connectsTo: readonly string[] = [];
  url = "http://127.0.0.1/";

  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
