import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { startHealthServer } from "../../adapters/health.ts";

test("a question that can't be answered is a 500, and the others are answered on", async () => {
  const server = await startHealthServer(0, "127.0.0.1", () => ({ status: "ok", components: {} }), {
    snapshot: () => {
      throw new Error("no snapshot");
    },
    prometheus: () => Promise.reject(new Error("no text")),
  });
  const { port } = server.address() as AddressInfo;
  const get = async (path: string, accept: string): Promise<[number, unknown]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { accept } });
    return [response.status, await response.json()];
  };
  try {
    expect(await get("/metrics", "text/plain")).toEqual([500, { error: "it can't be answered: no text" }]);
    expect(await get("/metrics", "application/json")).toEqual([500, { error: "it can't be answered: no snapshot" }]);
    expect(await get("/health", "*/*")).toEqual([200, { status: "ok", components: {} }]);
  } finally {
    server.close();
  }
});
