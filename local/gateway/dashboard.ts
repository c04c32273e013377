import type { Server } from "node:http";
import { join } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { type Context, Hono } from "hono";
import { dashboardLibraries, dashboardPolicy } from "../../domain/dashboard.ts";
import { listen } from "../aws/listen.ts";

export interface DashboardOptions {
  readonly port: number;
  /** Folder of the page's files. */
  readonly folder: string;
  readonly apiPort: number;
  readonly environment: string;
}

const packages = join(import.meta.dirname, "..", "..", "node_modules");

/**
 * Serves the dashboard's files, the libraries that it loads, and `/config.json` with the API's addresses on the host
 * name of the request. The Content-Security-Policy is CloudFront's.
 */
export async function startDashboard(
  options: DashboardOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const app = new Hono();
  app.use("*", async (context, next) => {
    const { hostname } = new URL(context.req.url);
    const apis = ["http", "ws"].map((scheme) => `${scheme}://${hostname}:${options.apiPort}`);
    await next();
    context.header("content-security-policy", dashboardPolicy(apis));
  });
  app.get("/config.json", (context) => {
    const { hostname } = new URL(context.req.url);
    return context.json(
      {
        environment: options.environment,
        restUrl: `http://${hostname}:${options.apiPort}`,
        webSocketUrl: `ws://${hostname}:${options.apiPort}`,
      },
      200,
      { "cache-control": "no-store" },
    );
  });
  const onFound = (_path: string, context: Context): void => context.header("cache-control", "no-cache");
  for (const { path, file } of dashboardLibraries)
    app.get(`/${path}`, serveStatic({ root: packages, path: file, onFound }));
  app.use("*", serveStatic({ root: options.folder, onFound }));
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  const port = await listen(server, options.port);
  return {
    port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
