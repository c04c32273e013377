import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import type { KafkaConsumer } from "../constructs/kafka-consumer.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { kafkaConsumer } from "./consumers.ts";
import type { SecurityStack } from "./security.ts";
import type { StreamingStack } from "./streaming.ts";

/** What reads the outputs as an outsider does, and says what it sees. */
export class AuditStack extends MillraceStack {
  readonly auditOutput: KafkaConsumer;

  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    { security, streaming }: { readonly security: SecurityStack; readonly streaming: StreamingStack },
  ) {
    super(scope, id, { config, stateful: false, description: "audit of the outputs" });
    this.auditOutput = kafkaConsumer(this, {
      name: "audit-output",
      description: "latency, repetitions, gaps and completeness of the outputs, as metrics",
      environment: writeSettings("auditOutput", {
        environment: config.name,
        idleTimeoutMs: config.semantics.idleTimeoutMs,
        latenessMs: config.semantics.allowedLatenessMs,
        metricsLog: "emf",
      }),
      cluster: streaming.cluster,
      key: security.keys.operations,
      // It compares a record with those before, which only the execution environment knows that read them.
      reservedConcurrency: 1,
    });
  }
}
