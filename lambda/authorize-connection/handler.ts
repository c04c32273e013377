import { DeleteItemCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from "aws-lambda";
import { readSettings } from "../../config/settings.ts";
import { allowStage } from "../authorize-request/policy.ts";
import { TICKET, ticketCounts, ticketKey } from "../issue-ticket/ticket.ts";

const settings = readSettings("tickets", process.env);
const dynamodb = new DynamoDBClient({
  region: settings.region,
  ...(settings.dynamodbEndpoint ? { endpoint: settings.dynamodbEndpoint } : {}),
});

/** WebSocket authorizer of `$connect`: takes the ticket in `?ticket=…` out of the table, so that it works once. */
export async function handler(event: APIGatewayRequestAuthorizerEvent): Promise<APIGatewayAuthorizerResult> {
  const ticket = event.queryStringParameters?.["ticket"] ?? "";
  if (!TICKET.test(ticket)) throw new Error("Unauthorized");
  const { Attributes } = await dynamodb.send(
    new DeleteItemCommand({
      TableName: settings.ticketsTable,
      Key: { ticketKey: { S: ticketKey(ticket) } },
      ReturnValues: "ALL_OLD",
    }),
  );
  if (!Attributes || !ticketCounts(Number(Attributes["expiresAt"]?.N), Date.now())) throw new Error("Unauthorized");
  return allowStage(Attributes["principal"]?.S ?? "unnamed", event.methodArn);
}
