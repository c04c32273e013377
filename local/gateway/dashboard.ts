import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { listen } from "../aws/listen.ts";

export interface DashboardOptions {
  readonly port: number;
  /** Folder of the page's files. */
  readonly folder: string;
  readonly apiPort: number;
  readonly environment: string;
}

/** Serves the dashboard's files, and `/config.json` with the API's addresses on the host name of the request. */
export async function startDashboard(
  options: DashboardOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const app = new Hono();
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
  app.use(
    "*",
    serveStatic({ root: options.folder, onFound: (_path, context) => context.header("cache-control", "no-cache") }),
  );
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
