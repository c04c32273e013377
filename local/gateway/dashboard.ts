import type { Server } from "node:http";
import { join } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { type Context, Hono } from "hono";
import { proxy } from "hono/proxy";
import { isLoopbackHost, LOOPBACK } from "../../config/local.ts";
import { dashboardPolicy } from "../../domain/dashboard.ts";
import { listen } from "../aws/listen.ts";

export interface DashboardOptions {
  readonly port: number;
  /** Folder of the bundled page. */
  readonly folder: string;
  readonly apiPort: number;
  /**
   * Where `npm start` says how alarms and graphs stand, and tells a message's story.
   *
   * @default 0: nowhere, and the page has no view of operations
   */
  readonly statusPort?: number;
  /** Where devices publish, for the page to say. @default the page does not say */
  readonly mqttUrl?: string;
  readonly environment: string;
}

const root = join(import.meta.dirname, "..", "..");
const runbooks = join(root, "docs", "runbooks");

/**
 * Serves the dashboard's files, and `/config.json` with the API's addresses on the host name of the request;
 * `/operations/alarms`, `/operations/graphs` and `/operations/trace` from `npm start`, its operators' API under `/ops/`
 * for pages of this machine alone, and `/runbooks/`. The Content-Security-Policy is CloudFront's.
 */
export async function startDashboard(
  options: DashboardOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { statusPort = 0, mqttUrl } = options;
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
        ...(mqttUrl === undefined ? {} : { mqtt: { url: mqttUrl, prefix: null } }),
        ...(statusPort > 0 ? { operations: true } : {}),
      },
      200,
      { "cache-control": "no-store" },
    );
  });
  const onFound = (_path: string, context: Context): void => context.header("cache-control", "no-cache");
  if (statusPort > 0)
    app.get("/operations/:name{alarms|graphs|trace}", (context) =>
      proxy(`http://${LOOPBACK}:${statusPort}/${context.req.param("name")}${new URL(context.req.url).search}`),
    );
  if (statusPort > 0)
    app.on(
      ["GET", "POST"],
      ["/ops/:name{components|topics|groups|records|models|dead-letters|openapi\\.json}"],
      (context) => {
        const { host, origin } = context.req.header();
        const problem = originProblem(host, origin);
        if (problem !== null)
          return Response.json(
            { type: "about:blank", title: "Forbidden", status: 403, detail: problem },
            { status: 403 },
          );
        const { search } = new URL(context.req.url);
        return proxy(`http://${LOOPBACK}:${statusPort}/ops/${context.req.param("name")}${search}`, context.req);
      },
    );
  app.use(
    "/runbooks/*",
    serveStatic({
      root: runbooks,
      rewriteRequestPath: (path) => path.replace(/^\/runbooks/, ""),
      onFound: (path, context) => {
        onFound(path, context);
        context.header("content-type", "text/plain; charset=utf-8");
      },
    }),
  );
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

/** Why an operators' request is not from a page of this machine; null where it may be. */
function originProblem(host: string | undefined, origin: string | undefined): string | null {
  if (!isLoopbackHost(host)) return "use the address 127.0.0.1 or localhost";
  return origin === undefined || origin === `http://${host}` ? null : `${origin} is another origin`;
}
