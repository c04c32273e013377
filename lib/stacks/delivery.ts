import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import type { KafkaConsumer } from "../constructs/kafka-consumer.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { allow } from "../reusable/grants.ts";
import { kafkaConsumer } from "./consumers.ts";
import type { LakeStack } from "./lake.ts";
import type { SecurityStack } from "./security.ts";
import type { StreamingStack } from "./streaming.ts";

/** What carries Kafka's records into the lake. */
export class DeliveryStack extends MillraceStack {
  readonly writeLake: KafkaConsumer;

  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    {
      security,
      streaming,
      lake,
    }: { readonly security: SecurityStack; readonly streaming: StreamingStack; readonly lake: LakeStack },
  ) {
    super(scope, id, { config, stateful: false, description: "Kafka to the lake" });
    const streams = Object.entries(config.lake.streams).map(([table, count]) => `${table}=${count}`);
    this.writeLake = kafkaConsumer(this, {
      name: "write-lake",
      description: "rows of the lake, from every topic that it keeps",
      environment: writeSettings("writeLake", {
        environment: config.name,
        earliestTimeMs: config.semantics.earliestTimeMs,
        ...(streams.length > 0 ? { lakeStreams: streams.join(",") } : {}),
        logGeneration: config.processor.sensor?.logGeneration ?? 1,
        ...(config.processor.market ? { marketLogGeneration: config.processor.market.logGeneration } : {}),
      }),
      cluster: streaming.cluster,
      key: security.keys.operations,
    });
    const arns = Object.values(lake.deliveries).map(({ stream }) => stream.attrArn);
    allow(this.writeLake, ["firehose:PutRecordBatch"], arns);
  }
}
