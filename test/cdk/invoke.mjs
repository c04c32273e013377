// Runs one function's bundle as Lambda would: imports it and calls its handler with the event. The answer goes to file
// descriptor 3.
import { writeSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , bundle, event] = process.argv;
const { handler } = await import(pathToFileURL(bundle).href);
try {
  const answer = await handler(JSON.parse(event), {
    functionName: "test",
    awsRequestId: "test",
    getRemainingTimeInMillis: () => 10_000,
  });
  writeSync(3, JSON.stringify({ answer: answer ?? null }));
} catch (error) {
  writeSync(3, JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
}
process.exit(0);
