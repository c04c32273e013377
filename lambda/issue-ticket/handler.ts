import { randomBytes } from "node:crypto";
import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { dynamoDbClient } from "../../adapters/dynamodb.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { queries, ticketRoute, type Ticket } from "../../domain/api.ts";
import { isOperator } from "../../domain/caller.ts";
import { readParameters } from "../shared/parameters.ts";
import { ProblemError } from "../shared/problems.ts";
import { json, restFunction } from "../shared/rest.ts";
import { TICKET_BYTES, TICKET_SECONDS, ticketKey } from "./ticket.ts";

const settings = readSettings("tickets", process.env);
const log = createLogger("issue-ticket", settings.logLevel);
const dynamodb = dynamoDbClient(settings.region, settings.dynamodbEndpoint);

/** `POST /tickets`: a ticket for one WebSocket connection of the caller, whom the REST authorizer has verified. */
export const handler = restFunction(log, settings.corsOrigins, { [ticketRoute.path]: issue }, [ticketRoute]);

async function issue(event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
  readParameters(event, queries.none);
  const ticket = randomBytes(TICKET_BYTES).toString("base64url");
  const expiresAt = Math.floor(Date.now() / 1_000) + TICKET_SECONDS;
  const principal = String(event.requestContext.authorizer?.["principalId"] ?? "unnamed");
  const put = new PutItemCommand({
    TableName: settings.ticketsTable,
    Item: {
      ticketKey: { S: ticketKey(ticket) },
      principal: { S: principal },
      operator: { BOOL: isOperator(event) },
      expiresAt: { N: String(expiresAt) },
    },
  });
  await dynamodb.send(put).catch((cause: unknown) => {
    throw new ProblemError("unavailable", "the table of tickets does not answer", { cause });
  });
  return json({ ticket, expiresAt: expiresAt * 1_000 } satisfies Ticket, 201);
}
