import { DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from "aws-lambda";
import { dynamoDbClient } from "../../adapters/dynamodb.ts";
import { readSettings } from "../../config/settings.ts";
import { TICKET_PARAMETER } from "../../domain/api.ts";
import { allowStage } from "../authorize-request/policy.ts";
import { TICKET, ticketCounts, ticketKey } from "../issue-ticket/ticket.ts";

const settings = readSettings("tickets", process.env);
const dynamodb = dynamoDbClient(settings.region, settings.dynamodbEndpoint);

/**
 * WebSocket authorizer of `$connect`: removes the ticket of `?ticket=…` from the table, so that it works once. Who got
 * the ticket is who connects.
 *
 * @throws Error `Unauthorized`, which API Gateway answers with 401
 */
export async function handler(event: APIGatewayRequestAuthorizerEvent): Promise<APIGatewayAuthorizerResult> {
  const ticket = event.queryStringParameters?.[TICKET_PARAMETER] ?? "";
  if (!TICKET.test(ticket)) throw new Error("Unauthorized");
  const { Attributes } = await dynamodb.send(
    new DeleteItemCommand({
      TableName: settings.ticketsTable,
      Key: { ticketKey: { S: ticketKey(ticket) } },
      ReturnValues: "ALL_OLD",
    }),
  );
  if (!Attributes || !ticketCounts(Number(Attributes["expiresAt"]?.N), Date.now())) throw new Error("Unauthorized");
  return allowStage(event.methodArn, {
    principalId: Attributes["principal"]?.S ?? "unnamed",
    operator: Attributes["operator"]?.BOOL === true,
  });
}
