import { expect, test } from "@jest/globals";
import { App, Stack, aws_iam as iam } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { logName, transactionalId } from "../../domain/names.ts";
import { KafkaCluster } from "../../lib/constructs/kafka-cluster.ts";

test.each([1, 2])("tasks of a log's generation %d may use their transactional ids", (generation) => {
  const stack = new Stack(new App(), "S");
  const role = new iam.Role(stack, "Role", { assumedBy: new iam.ServicePrincipal("ecs-tasks.amazonaws.com") });
  const cluster = new KafkaCluster("arn:aws:kafka:eu-central-1:111122223333:cluster/c/uuid", "c", "broker:9098");
  const log = logName("imu-data-all", generation);
  cluster.grantTransactions(role, "test", "sensor", log);
  const granted = JSON.stringify(Template.fromStack(stack).toJSON());
  const [, pattern] = /transactional-id\/[^"]*?(millrace\.[^"*]*)\*/.exec(granted)!;
  expect(transactionalId("test", "sensor", log, 12).startsWith(pattern!)).toBe(true);
});
