import { CreateTableCommand, DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { APIGatewayAuthorizerResult } from "aws-lambda";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { restEvent } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";

const table = uniqueName("tickets");
const env = { DYNAMODB_ENDPOINT: sharedServers().dynamodbEndpoint, TICKETS_TABLE: table };
const client = new DynamoDBClient({
  region: "us-east-1",
  endpoint: env.DYNAMODB_ENDPOINT,
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
});
let issue: FunctionProcess;
let authorize: FunctionProcess;

beforeAll(async () => {
  // As lib/stacks/state.ts makes it.
  await client.send(
    new CreateTableCommand({
      TableName: table,
      KeySchema: [{ AttributeName: "ticketKey", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "ticketKey", AttributeType: "S" }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  issue = startFunction("issue-ticket", env);
  authorize = startFunction("authorize-connection", env);
});
afterAll(async () => {
  await Promise.all([issue.stop(), authorize.stop()]);
  client.destroy();
});

/** A ticket of who the REST authorizer has verified. */
async function ticketOf(authorizer: Record<string, string>): Promise<string> {
  const event = restEvent("/tickets", { method: "POST" });
  const { statusCode, body } = await issue.invoke<{ statusCode: number; body: string }>({
    ...event,
    requestContext: { ...event.requestContext, authorizer },
  });
  expect(statusCode).toBe(201);
  return (JSON.parse(body) as { ticket: string }).ticket;
}
const connect = (ticket: string): Promise<APIGatewayAuthorizerResult> =>
  authorize.invoke({
    type: "REQUEST",
    methodArn: "arn:aws:execute-api:us-east-1:123456789012:ws1/v1/$connect",
    queryStringParameters: { ticket },
  });

test.each(["true", "false"])("a connection's caller is its ticket's: operator %s", async (operator) => {
  const ticket = await ticketOf({ principalId: "anna", operator });
  expect(await connect(ticket)).toMatchObject({ principalId: "anna", context: { operator } });
});

test("whom no authorizer has verified is no operator", async () => {
  expect(await connect(await ticketOf({}))).toMatchObject({ principalId: "unnamed", context: { operator: "false" } });
});

test("a table that does not answer is 503, and an unknown parameter 400, as problem details", async () => {
  const elsewhere = startFunction("issue-ticket", { ...env, TICKETS_TABLE: uniqueName("no-table") });
  try {
    const event = restEvent("/tickets", { method: "POST" });
    const lost = await elsewhere.invoke<{ statusCode: number; body: string }>(event);
    expect([lost.statusCode, JSON.parse(lost.body)]).toMatchObject([
      503,
      { type: "urn:millrace:problem:unavailable", status: 503, instance: "/tickets" },
    ]);
  } finally {
    await elsewhere.stop();
  }
  const event = restEvent("/tickets", { method: "POST", query: { x: "1" } });
  expect(await issue.invoke(event)).toMatchObject({ statusCode: 400 });
  expect(await issue.invoke(restEvent("/tickets", { method: "GET" }))).toMatchObject({
    statusCode: 405,
    headers: { allow: "POST, OPTIONS" },
  });
});

test("a ticket works once, and is in the table as its hash", async () => {
  const ticket = await ticketOf({ principalId: "anna", operator: "true" });
  const { Items } = await client.send(new ScanCommand({ TableName: table }));
  expect(Items).toHaveLength(1);
  expect(JSON.stringify(Items)).not.toContain(ticket);
  await connect(ticket);
  await expect(connect(ticket)).rejects.toThrow("Unauthorized");
});
