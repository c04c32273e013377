import {
  ArnFormat,
  aws_events as events,
  aws_iam as iam,
  type aws_kms as kms,
  aws_sqs as sqs,
  Duration,
  RemovalPolicy,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { tradeQueue } from "../../domain/event-source-mappings.ts";
import { eventBusName, TRADE_DETAIL_TYPE } from "../../domain/market.ts";
import { functions } from "../../domain/routes.ts";
import { resourceName } from "../names.ts";
import type { DataClass } from "./data-class.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/** SQS's longest. Trades wait that long for a cluster that is away; what failed waits that long for somebody. */
const RETENTION = Duration.days(14);
/** Lambda's advice: visibility timeouts of the queue for one timeout of the function. */
const VISIBILITY_FACTOR = 6;

/**
 * The event bus that producers put trades on, its archive, and the rule that hands trades to a queue. What can't be
 * handed on is kept in a second queue, whole, whoever failed: the bus, the rule, or the reader of the queue.
 */
export class TradeBus extends Construct {
  readonly name: string;
  readonly ruleName: string;
  /** EventBridge events, one in a message. */
  readonly trades: sqs.Queue;
  /** Events that could not be handed on; an alarm watches it. */
  readonly failures: sqs.Queue;

  constructor(stack: MillraceStack, keys: Readonly<Record<DataClass, kms.IKey>>) {
    super(stack, "Trades");
    const { config } = stack;
    this.name = eventBusName(config.name);
    this.ruleName = resourceName(config, "trades");
    const queueProps = { encryption: sqs.QueueEncryption.KMS, enforceSSL: true, retentionPeriod: RETENTION };
    this.failures = new sqs.Queue(this, "Failures", {
      ...queueProps,
      queueName: resourceName(config, "trades-failures"),
      encryptionMasterKey: keys.operations,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.trades = new sqs.Queue(this, "Queue", {
      ...queueProps,
      queueName: resourceName(config, "trades"),
      encryptionMasterKey: keys.readings,
      visibilityTimeout: Duration.seconds(VISIBILITY_FACTOR * functions[tradeQueue.functionName].timeoutSeconds),
      deadLetterQueue: { queue: this.failures, maxReceiveCount: tradeQueue.maxReceiveCount },
      removalPolicy: stack.dataRemovalPolicy,
    });
    const busArn = this.#bus(stack, keys.readings);
    const ruleArn = this.#rule(stack);
    allowEvents(this.trades, ruleArn);
    allowEvents(this.failures, ruleArn, busArn);
  }

  /** @returns The ARN of the bus */
  #bus(stack: MillraceStack, key: kms.IKey): string {
    const deadLetterConfig = { arn: this.failures.queueArn };
    const bus = new events.CfnEventBus(this, "Bus", {
      name: this.name,
      description: `Millrace ${stack.config.name}: market trades`,
      kmsKeyIdentifier: key.keyArn,
      // Events that the bus could not encrypt or decrypt.
      deadLetterConfig,
    });
    const archive = new events.CfnArchive(this, "Archive", {
      archiveName: this.name,
      description: "trades, to be sent again",
      sourceArn: bus.attrArn,
      eventPattern: { "detail-type": [TRADE_DETAIL_TYPE] },
      retentionDays: stack.config.market.archiveDays,
      kmsKeyIdentifier: key.keyArn,
    });
    for (const kept of [bus, archive]) kept.applyRemovalPolicy(stack.dataRemovalPolicy);
    const rule = new events.CfnRule(this, "Rule", {
      name: this.ruleName,
      description: "trades to the queue of produce-trades",
      eventBusName: bus.ref,
      eventPattern: { "detail-type": [TRADE_DETAIL_TYPE] },
      targets: [{ id: "trades", arn: this.trades.queueArn, deadLetterConfig }],
    });
    rule.node.addDependency(this.trades, this.failures);
    return bus.attrArn;
  }

  /** ARN of the rule, by its name: the policies of the queues are there before the rule is. */
  #rule(stack: MillraceStack): string {
    return stack.formatArn({
      service: "events",
      resource: "rule",
      resourceName: `${this.name}/${this.ruleName}`,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
  }
}

/** Lets EventBridge send to a queue, on behalf of these rules and buses alone. */
function allowEvents(queue: sqs.Queue, ...sources: readonly string[]): void {
  queue.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: "EventsOfTheBus",
      principals: [new iam.ServicePrincipal("events.amazonaws.com")],
      actions: ["sqs:SendMessage"],
      resources: [queue.queueArn],
      conditions: { ArnEquals: { "aws:SourceArn": [...sources] } },
    }),
  );
}
