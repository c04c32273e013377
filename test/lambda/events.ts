import type { APIGatewayProxyEvent, MSKEvent, MSKRecord } from "aws-lambda";
import type { CallerContext } from "../../domain/caller.ts";
import type { RecordHeaders } from "../../domain/record-headers.ts";
import { recordsOf, type KafkaRecord } from "../../lambda/shared/kafka-event.ts";

/** One record of an MSK event. An absent key or value is null in Kafka. */
export interface RecordSpec {
  readonly topic: string;
  readonly partition?: number;
  readonly offset: number;
  readonly timestamp?: number;
  readonly key?: string;
  readonly value?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const base64 = (data: Uint8Array | string): string => Buffer.from(data).toString("base64");

/**
 * An event as Lambda's poller makes it: records grouped by `<topic>-<partition>`, keys and values in base64, header
 * values as bytes.
 */
export function mskEvent(records: readonly RecordSpec[]): MSKEvent {
  const decoded = records.map(
    ({ topic, partition = 0, offset, timestamp = 1_657_533_977_900, key, value, headers = {} }) => ({
      topic,
      partition,
      offset,
      timestamp,
      timestampType: "CREATE_TIME" as const,
      ...(key === undefined ? {} : { key: base64(key) }),
      ...(value === undefined
        ? {}
        : { value: base64(value instanceof Uint8Array || typeof value === "string" ? value : JSON.stringify(value)) }),
      headers: Object.entries(headers).map(([name, text]) => ({ [name]: [...Buffer.from(text)] })),
    }),
  );
  return {
    eventSource: "aws:kafka",
    eventSourceArn: "arn:aws:kafka:us-east-1:123456789012:cluster/millrace/0a1b2c3d-1111-2222-3333-444455556666-s1",
    bootstrapServers: "boot-abc.c1.kafka-serverless.us-east-1.amazonaws.com:9098",
    records: Object.groupBy(decoded, ({ topic, partition }) => `${topic}-${partition}`),
  } as unknown as MSKEvent;
}

/** A record of a log topic, as `recordsOf` gives it. */
export function kafkaRecord(keyBytes: Buffer | null, recordHeaders: RecordHeaders, value: Buffer | null): KafkaRecord {
  const record = {
    topic: "imu-data-all",
    partition: 3,
    offset: 41,
    timestamp: 1_657_533_977_900,
    timestampType: "CREATE_TIME",
    ...(keyBytes === null ? {} : { key: base64(keyBytes) }),
    ...(value === null ? {} : { value: base64(value) }),
    headers: recordHeaders.map(([name, bytes]) => ({ [name]: bytes === null ? null : [...bytes] })),
  };
  return recordsOf({ records: { "imu-data-all-3": [record as unknown as MSKRecord] } })[0]!;
}

/** A REST proxy event (payload 1.0): `resource` as in the route table, e.g. `/sessions/{sessionId}`. */
export function restEvent(
  resource: string,
  options: {
    readonly method?: string;
    readonly path?: string;
    readonly pathParameters?: Record<string, string>;
    readonly query?: Record<string, string | readonly string[]>;
  } = {},
): APIGatewayProxyEvent {
  const { method = "GET", pathParameters = null, query = {} } = options;
  const path =
    options.path ??
    resource.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(pathParameters?.[name] ?? ""));
  const lists = Object.entries(query).map(([name, value]) => [name, [value].flat() as string[]] as const);
  return {
    resource,
    path,
    httpMethod: method,
    headers: { Host: "api.example.com" },
    multiValueHeaders: { Host: ["api.example.com"] },
    // API Gateway gives the last of several values here, and null instead of an empty object.
    queryStringParameters:
      lists.length > 0 ? Object.fromEntries(lists.map(([name, values]) => [name, values.at(-1)!])) : null,
    multiValueQueryStringParameters: lists.length > 0 ? Object.fromEntries(lists) : null,
    pathParameters,
    stageVariables: null,
    body: null,
    isBase64Encoded: false,
    requestContext: {
      requestId: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
      stage: "api",
      httpMethod: method,
      path: `/api${path}`,
      resourcePath: resource,
      identity: { sourceIp: "203.0.113.7", userArn: null },
    } as APIGatewayProxyEvent["requestContext"],
  };
}

/** A WebSocket event of a route; `$connect` has the query string, others the body. */
export function webSocketEvent(
  routeKey: string,
  connectionId: string,
  options: {
    readonly body?: string;
    readonly query?: Record<string, readonly string[]>;
    /** What the authorizer of the connection said. */
    readonly authorizer?: CallerContext;
  } = {},
): unknown {
  const { body, query, authorizer } = options;
  const eventType = routeKey === "$connect" ? "CONNECT" : routeKey === "$disconnect" ? "DISCONNECT" : "MESSAGE";
  return {
    ...(query
      ? {
          queryStringParameters: Object.fromEntries(
            Object.entries(query).map(([name, values]) => [name, values.at(-1)]),
          ),
          multiValueQueryStringParameters: query,
        }
      : {}),
    requestContext: {
      routeKey,
      eventType,
      connectionId,
      requestId: "Xyz123=",
      messageId: "Xyz124=",
      messageDirection: "IN",
      extendedRequestId: "Xyz123=",
      requestTime: "11/Jul/2022:10:06:17 +0000",
      requestTimeEpoch: 1_657_533_977_813,
      stage: "live",
      connectedAt: 1_657_533_977_000,
      domainName: "ws.example.com",
      apiId: "a1b2c3",
      ...(authorizer ? { authorizer } : {}),
    },
    isBase64Encoded: false,
    ...(body === undefined ? {} : { body }),
  };
}
