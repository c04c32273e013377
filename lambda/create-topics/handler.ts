import type { CloudFormationCustomResourceEvent } from "aws-lambda";
import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import type { TopicSpec } from "../../domain/topics.ts";
import { applyTopics } from "./apply.ts";

const settings = readSettings("kafkaTools", process.env);
const logger = createLogger("create-topics", settings.logLevel);

/**
 * The custom resource `Custom::KafkaTopics`. Its property `Topics` is a JSON array of `TopicSpec`. The topics stay when
 * the resource is deleted.
 */
export async function handler(
  event: CloudFormationCustomResourceEvent,
): Promise<{ PhysicalResourceId: string; Data?: Record<string, string> }> {
  const PhysicalResourceId = `millrace-${settings.environment}-topics`;
  if (event.RequestType === "Delete") return { PhysicalResourceId };
  const wanted = JSON.parse(String(event.ResourceProperties["Topics"])) as TopicSpec[];
  const admin = createKafka(settings, "millrace-create-topics", logger).admin();
  await admin.connect();
  try {
    const plan = await applyTopics(admin, wanted);
    logger.info(
      { created: plan.create.map(({ name }) => name), widened: plan.widen, altered: plan.alter, notes: plan.notes },
      "topics are as wanted",
    );
    return {
      PhysicalResourceId,
      Data: {
        Created: String(plan.create.length),
        Widened: String(plan.widen.length),
        Altered: String(plan.alter.length),
      },
    };
  } finally {
    await admin.disconnect();
  }
}
