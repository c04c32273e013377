import { randomBytes } from "node:crypto";
import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { dynamoDbClient } from "../../adapters/dynamodb.ts";
import { readSettings } from "../../config/settings.ts";
import { isOperator } from "../../domain/caller.ts";
import { commonHeaders, corsHeaders, headerOf } from "../shared/problems.ts";
import { TICKET_BYTES, TICKET_SECONDS, ticketKey } from "./ticket.ts";

const settings = readSettings("tickets", process.env);
const dynamodb = dynamoDbClient(settings.region, settings.dynamodbEndpoint);

/** `POST /tickets`: a ticket for one WebSocket connection of the caller, whom the REST authorizer has verified. */
export async function handler(event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
  const ticket = randomBytes(TICKET_BYTES).toString("base64url");
  const expiresAt = Math.floor(Date.now() / 1_000) + TICKET_SECONDS;
  const principal = String(event.requestContext.authorizer?.["principalId"] ?? "unnamed");
  await dynamodb.send(
    new PutItemCommand({
      TableName: settings.ticketsTable,
      Item: {
        ticketKey: { S: ticketKey(ticket) },
        principal: { S: principal },
        operator: { BOOL: isOperator(event) },
        expiresAt: { N: String(expiresAt) },
      },
    }),
  );
  return {
    statusCode: 201,
    headers: {
      "content-type": "application/json",
      ...commonHeaders,
      ...corsHeaders(settings.corsOrigins, headerOf(event, "origin")),
    },
    body: JSON.stringify({ ticket, expiresAt: expiresAt * 1_000 }),
  };
}
