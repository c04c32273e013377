import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import { deliveryStreamName } from "../../domain/names.ts";
import { tables } from "../../domain/tables.ts";
import { parseBody } from "../aws/json-protocol.ts";
import { listen } from "../aws/listen.ts";
import { ServiceError } from "../aws/service-error.ts";
import { ParquetWriter } from "./parquet.ts";
import { batchData, recordData, unavailable, unknownStream } from "./protocol.ts";
import { DeliveryStream } from "./stream.ts";

export interface FirehoseOptions {
  readonly environment: string;
  readonly port: number;
  readonly lakeDir: string;
  readonly bufferMs: number;
  readonly bufferBytes: number;
  /** Share of records that are refused, from 0 to 1. */
  readonly faultRate: number;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Uniform in [0, 1): decides which records are refused. */
  readonly random: () => number;
}

export interface Firehose {
  readonly port: number;
  /** Why records do not reach the lake at the moment; null when they do. */
  problem(): string | null;
  /** Stops accepting records, and writes the buffered ones to the lake. */
  close(): Promise<void>;
}

/** Acknowledged bytes that may wait for conversion. Above this limit, puts are refused until files can be written. */
const BACKLOG_BYTES = 1024 ** 3;
const POLL_MS = 100;
const RETRY_MS = 2_000;

/**
 * Starts the Firehose endpoint with a delivery stream for each table of the lake. It binds the port first, so that a
 * second process cannot open the same journals.
 *
 * @throws MillraceError `port-taken`
 */
export async function startFirehose(options: FirehoseOptions): Promise<Firehose> {
  let ready: (streams: Map<string, DeliveryStream>) => void = () => {};
  const streams = new Promise<Map<string, DeliveryStream>>((resolve) => {
    ready = resolve;
  });
  let backlogBytes = 0;
  const app = new Hono();
  app.post("/", async (context) => {
    const target = context.req.header("x-amz-target") ?? "";
    const body = parseBody(await context.req.text());
    const operation = operations[target.replace(/^Firehose_20150804\./, "") as keyof typeof operations];
    if (!target.startsWith("Firehose_20150804.") || !operation)
      throw new ServiceError("UnknownOperationException", 400, `unknown target ${JSON.stringify(target)}`);
    if (backlogBytes > BACKLOG_BYTES) throw unavailable("Slow down.");
    return context.json(await operation(body, await streams, options));
  });
  app.onError((error) => {
    if (error instanceof ServiceError) return error.toResponse();
    options.log.error({ err: error }, "a call failed");
    return unavailable("The service is unavailable. Back off and retry the operation.").toResponse();
  });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  const port = await listen(server, options.port);
  const writer = await ParquetWriter.create();
  const opened = new Map<string, DeliveryStream>();
  for (const table of Object.values(tables))
    opened.set(
      deliveryStreamName(options.environment, table.name),
      await DeliveryStream.open({ ...options, table, writer }),
    );
  ready(opened);

  let problem: string | null = null;
  let stopped = false;
  const deliverAll = async (force: boolean): Promise<void> => {
    problem = null;
    for (const [name, stream] of opened) {
      await stream.deliver(Date.now(), force).catch((error: unknown) => {
        problem = `${name}: ${(error as Error).message}`;
        options.metrics.add("firehose.failed-deliveries");
        options.log.warn({ err: error, stream: name }, "cannot write to the lake: the records stay in the journal");
      });
    }
    backlogBytes = [...opened.values()].reduce((sum, stream) => sum + stream.bufferedBytes(Date.now()), 0);
    options.metrics.set("firehose.buffered", backlogBytes);
  };
  const loop = (async () => {
    while (!stopped) {
      await deliverAll(false);
      await new Promise((resolve) => setTimeout(resolve, problem === null ? POLL_MS : RETRY_MS));
    }
  })();
  return {
    port,
    problem: () => problem ?? [...opened.values()].find(({ refusal }) => refusal !== null)?.refusal ?? null,
    close: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeIdleConnections();
      });
      stopped = true;
      await loop;
      await deliverAll(true);
      writer.close();
    },
  };
}

type Operation = (
  body: Record<string, unknown>,
  streams: Map<string, DeliveryStream>,
  options: FirehoseOptions,
) => Promise<Record<string, unknown>>;

function find(body: Record<string, unknown>, streams: Map<string, DeliveryStream>): DeliveryStream {
  const stream = streams.get(body["DeliveryStreamName"] as string);
  if (!stream) throw unknownStream(body["DeliveryStreamName"]);
  return stream;
}

const operations = {
  async PutRecord(body, streams, { faultRate, random }) {
    const stream = find(body, streams);
    const data = recordData(body["Record"], "record");
    if (random() < faultRate) throw unavailable("Slow down.");
    await stream.put([{ arrivalMs: Date.now(), data }]);
    return { RecordId: randomUUID(), Encrypted: false };
  },
  async PutRecordBatch(body, streams, { faultRate, random }) {
    const stream = find(body, streams);
    const arrivalMs = Date.now();
    const records = batchData(body["Records"]).map((data) => ({ arrivalMs, data, refused: random() < faultRate }));
    const taken = records.filter(({ refused }) => !refused);
    if (taken.length > 0) await stream.put(taken);
    return {
      FailedPutCount: records.length - taken.length,
      Encrypted: false,
      RequestResponses: records.map(({ refused }) =>
        refused ? { ErrorCode: "ServiceUnavailableException", ErrorMessage: "Slow down." } : { RecordId: randomUUID() },
      ),
    };
  },
  async DescribeDeliveryStream(body, streams) {
    find(body, streams);
    const name = body["DeliveryStreamName"] as string;
    return {
      DeliveryStreamDescription: {
        DeliveryStreamName: name,
        DeliveryStreamARN: `arn:aws:firehose:us-east-1:000000000000:deliverystream/${name}`,
        DeliveryStreamStatus: "ACTIVE",
        DeliveryStreamType: "DirectPut",
        VersionId: "1",
        Destinations: [],
        HasMoreDestinations: false,
      },
    };
  },
  async ListDeliveryStreams(_body, streams) {
    return { DeliveryStreamNames: [...streams.keys()], HasMoreDeliveryStreams: false };
  },
} satisfies Record<string, Operation>;
