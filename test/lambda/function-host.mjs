// Runs one Lambda function: invokes its handler with the events that come in, and sends back what it answers.
import { pathToFileURL } from "node:url";

const { handler } = await import(pathToFileURL(process.argv[2]).href);
process.on("message", ({ call, event }) => {
  handler(event, { awsRequestId: `call-${call}`, getRemainingTimeInMillis: () => 10_000 }).then(
    (result) => process.send({ call, result }),
    (error) => process.send({ call, error: String(error?.stack ?? error) }),
  );
});
