import {
  aws_events as events,
  aws_events_targets as targets,
  aws_lambda as lambda,
  CfnOutput,
  Duration,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { tradeQueue } from "../../domain/event-source-mappings.ts";
import { eventBusName, TRADE_DETAIL_TYPE } from "../../domain/market.ts";
import { functions } from "../../domain/routes.ts";
import { topics } from "../../domain/topics.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { resourceName } from "../names.ts";
import { EventIntake } from "../reusable/event-intake.ts";
import { allow, allowKey } from "../reusable/grants.ts";
import type { NetworkStack } from "./network.ts";
import type { SecurityStack } from "./security.ts";
import type { StreamingStack } from "./streaming.ts";

/** Lambda's advice: visibility timeouts of the queue for one timeout of the function. */
const VISIBILITY_FACTOR = 6;

export interface MarketNeeds {
  readonly network: NetworkStack;
  readonly security: SecurityStack;
  readonly streaming: StreamingStack;
}

/** How trades come in: the event bus with its archive, the queue of trades, the function that appends them to Kafka. */
export class MarketStack extends MillraceStack {
  readonly intake: EventIntake;
  readonly produceTrades: MillraceFunction;

  constructor(scope: Construct, id: string, config: Environment, needs: MarketNeeds) {
    super(scope, id, { config, stateful: true, description: "event bus of the trades, their archive and queue" });
    const { keys } = needs.security;
    this.intake = new EventIntake(this, "Trades", {
      eventBusName: eventBusName(config.name),
      name: resourceName(config, "trades"),
      what: "trades",
      detailType: TRADE_DETAIL_TYPE,
      description: `Millrace ${config.name}: market trades`,
      key: keys.readings,
      failuresKey: keys.operations,
      visibilityTimeout: Duration.seconds(VISIBILITY_FACTOR * functions[tradeQueue.functionName].timeoutSeconds),
      maxReceiveCount: tradeQueue.maxReceiveCount,
      archiveDays: config.market.archiveDays,
      removalPolicy: this.dataRemovalPolicy,
    });
    this.produceTrades = this.#produceTrades(needs);
    this.#listen(needs.security);
    if (config.market.generateTrades) this.#generate();
    new CfnOutput(this, "EventBus", {
      value: this.intake.eventBusName,
      description: "event bus that producers put trades on",
    });
  }

  #produceTrades({ network, security, streaming }: MarketNeeds): MillraceFunction {
    const { timeoutSeconds, memoryMb } = functions[tradeQueue.functionName];
    const handler = new MillraceFunction(this, {
      name: tradeQueue.functionName,
      description: "trades of the event bus to Kafka",
      environment: writeSettings("produceTrades", {
        environment: this.config.name,
        kafkaBrokers: streaming.cluster.bootstrapBrokers,
        kafkaAuth: "iam",
      }),
      timeoutSeconds,
      memoryMiB: memoryMb,
      key: security.keys.operations,
      network: { vpc: network.vpc, subnets: network.privateSubnets, securityGroup: network.securityGroups.trades },
    });
    streaming.cluster.grantWrite(handler, [topics.trades.name]);
    return handler;
  }

  /** The queue to the function: messages that failed come again alone, after the visibility timeout. */
  #listen({ keys }: SecurityStack): void {
    // What AWSLambdaSQSQueueExecutionRole allows, on the one queue.
    allow(
      this.produceTrades,
      ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
      [this.intake.queue.queueArn],
    );
    allowKey(this.produceTrades, keys.readings, "sqs", ["Decrypt"]);
    const mapping = new lambda.EventSourceMapping(this, "TradesToKafka", {
      target: this.produceTrades.function,
      eventSourceArn: this.intake.queue.queueArn,
      batchSize: tradeQueue.batchSize,
      maxBatchingWindow: Duration.millis(tradeQueue.batchingWindowMs),
      reportBatchItemFailures: true,
      maxConcurrency: this.config.market.concurrency,
    });
    mapping.node.addDependency(this.produceTrades.role);
  }

  /** A minute of made-up trades, every minute. A second attempt makes the same trades; a late one makes none. */
  #generate(): void {
    new events.Rule(this, "GenerateSchedule", {
      ruleName: resourceName(this.config, "generate-trades"),
      description: "a minute of made-up trades",
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [
        new targets.LambdaFunction(this.produceTrades.function, {
          retryAttempts: 2,
          maxEventAge: Duration.minutes(5),
        }),
      ],
    });
  }
}
