import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { startStatusServer } from "../../local/status-server.ts";

test("a path without an answer is 404, also one that is no URL; a query reaches its answer", async () => {
  const server = await startStatusServer(0, { "/trace": (query) => ({ status: 200, body: query.get("name") }) });
  const { port } = server.address() as AddressInfo;
  const get = async (path: string): Promise<[number, unknown]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return [response.status, await response.json()];
  };
  try {
    const unknown = [404, { error: "use /trace" }];
    expect(await Promise.all(["//", "/", "/constructor"].map(get))).toEqual([unknown, unknown, unknown]);
    expect(await get("/trace?name=a%2Fb")).toEqual([200, "a/b"]);
  } finally {
    server.close();
  }
});
