import { Arn, ArnFormat, Aws, type aws_iam as iam, Fn } from "aws-cdk-lib";
import { transactionalId } from "../../domain/names.ts";
import { allow } from "../reusable/grants.ts";

/** The MSK Serverless cluster as programs need it: where it is, and grants of exactly the rights that they use. */
export class KafkaCluster {
  readonly arn: string;
  readonly name: string;
  /** Comma-separated host:port. */
  readonly bootstrapBrokers: string;

  constructor(arn: string, name: string, bootstrapBrokers: string) {
    this.arn = arn;
    this.name = name;
    this.bootstrapBrokers = bootstrapBrokers;
  }

  /** ARN of a topic, group or transactional id. It contains the cluster's UUID, which is the last part of its ARN. */
  #arnOf(kind: "topic" | "group" | "transactional-id", name: string): string {
    const uuid = Fn.select(2, Fn.split("/", this.arn));
    return Arn.format({
      partition: Aws.PARTITION,
      service: "kafka",
      region: Aws.REGION,
      account: Aws.ACCOUNT_ID,
      resource: kind,
      resourceName: `${this.name}/${uuid}/${name}`,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
  }

  #allow(grantee: iam.IGrantable, actions: readonly string[], resources: readonly string[]): void {
    allow(
      grantee,
      actions.map((action) => `kafka-cluster:${action}`),
      resources,
    );
  }

  /** Allows connecting. Every other right needs it. */
  grantConnect(grantee: iam.IGrantable): void {
    this.#allow(grantee, ["Connect"], [this.arn]);
  }

  /** Allows reading topics as a member of a consumer group. */
  grantRead(grantee: iam.IGrantable, topics: readonly string[], groups: readonly string[]): void {
    this.grantConnect(grantee);
    this.#allow(
      grantee,
      ["DescribeTopic", "ReadData"],
      topics.map((topic) => this.#arnOf("topic", topic)),
    );
    this.#allow(
      grantee,
      ["DescribeGroup", "AlterGroup"],
      groups.map((group) => this.#arnOf("group", group)),
    );
  }

  /** Allows reading topics without a consumer group: nothing is committed. */
  grantPeek(grantee: iam.IGrantable, topics: readonly string[]): void {
    this.grantConnect(grantee);
    this.#allow(
      grantee,
      ["DescribeTopic", "ReadData"],
      topics.map((topic) => this.#arnOf("topic", topic)),
    );
  }

  /** Allows writing to topics. Idempotent writes are a right on the cluster. */
  grantWrite(grantee: iam.IGrantable, topics: readonly string[]): void {
    this.#allow(grantee, ["Connect", "WriteDataIdempotently"], [this.arn]);
    this.#allow(
      grantee,
      ["DescribeTopic", "WriteData"],
      topics.map((topic) => this.#arnOf("topic", topic)),
    );
  }

  /** Allows the transactional ids of one pipeline's tasks: one per partition of its input's log. */
  grantTransactions(grantee: iam.IGrantable, env: string, pipeline: string, log: string): void {
    const prefix = transactionalId(env, pipeline, log, 0).slice(0, -1);
    this.grantTransactionalId(grantee, `${prefix}*`);
  }

  grantTransactionalId(grantee: iam.IGrantable, id: string): void {
    this.#allow(grantee, ["DescribeTransactionalId", "AlterTransactionalId"], [this.#arnOf("transactional-id", id)]);
  }

  /** Allows reading the committed offsets of groups. */
  grantReadLag(grantee: iam.IGrantable, topics: readonly string[], groups: readonly string[]): void {
    this.grantConnect(grantee);
    this.#allow(
      grantee,
      ["DescribeTopic"],
      topics.map((topic) => this.#arnOf("topic", topic)),
    );
    this.grantSeeGroups(grantee, groups);
  }

  /** Allows reading the states of groups, and what they have committed of topics that the grantee sees. */
  grantSeeGroups(grantee: iam.IGrantable, groups: readonly string[]): void {
    this.#allow(
      grantee,
      ["DescribeGroup"],
      groups.map((group) => this.#arnOf("group", group)),
    );
  }

  /** Allows adding partitions to topics. */
  grantWiden(grantee: iam.IGrantable, topics: readonly string[]): void {
    this.#allow(
      grantee,
      ["AlterTopic"],
      topics.map((topic) => this.#arnOf("topic", topic)),
    );
  }

  /** Allows creating topics and changing settings. Deleting topics and adding partitions are left out. */
  grantAdminister(grantee: iam.IGrantable, topics: readonly string[]): void {
    this.grantConnect(grantee);
    this.#allow(
      grantee,
      ["CreateTopic", "DescribeTopic", "DescribeTopicDynamicConfiguration", "AlterTopicDynamicConfiguration"],
      topics.map((topic) => this.#arnOf("topic", topic)),
    );
  }

  /**
   * Allows what the pollers of an event source mapping do at the cluster with the function's role. They run in its VPC,
   * whether the function does or not, so the role needs the policy `polling` (`runtime-policies.ts`) beside this.
   */
  grantPoll(grantee: iam.IGrantable, topic: string, group: string): void {
    this.grantRead(grantee, [topic], [group]);
    this.#allow(grantee, ["DescribeClusterDynamicConfiguration"], [this.arn]);
    allow(grantee, ["kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers"], [this.arn]);
  }
}
