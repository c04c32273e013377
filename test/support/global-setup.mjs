// Starts the servers for `jest <path>` without `npm test`. A plain module: Node, not Jest, runs it.
import { serversGiven, startSharedServers } from "./servers.ts";

export default async function setup() {
  if (!serversGiven())
    globalThis.__sharedServers = await startSharedServers((message) => process.stderr.write(`servers: ${message}\n`));
}
