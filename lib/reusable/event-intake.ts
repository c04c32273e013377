import {
  ArnFormat,
  aws_events as events,
  aws_iam as iam,
  type aws_kms as kms,
  aws_sqs as sqs,
  Duration,
  RemovalPolicy,
  Stack,
} from "aws-cdk-lib";
import { Construct } from "constructs";

/** SQS's longest. Events wait that long for a reader that is away; what failed waits that long for somebody. */
const LONGEST_RETENTION = Duration.days(14);
const MAX_RECEIVE_COUNT = 20;

export interface EventIntakeProps {
  /** Name of the event bus and of its archive. */
  readonly eventBusName: string;
  /** Name of the rule and of the queue. The queue of failures has `-failures` behind it. */
  readonly name: string;
  /** What the events are, in words: `trades`. */
  readonly what: string;
  /** The `detail-type` of the events that are archived and go to the queue. */
  readonly detailType: string;
  readonly description: string;
  /** Key of the events: bus, archive and queue. It must let EventBridge and SQS use it. */
  readonly key: kms.IKey;
  /**
   * Key of the queue of failures.
   *
   * @default the key of the events
   */
  readonly failuresKey?: kms.IKey;
  /** How long a message that was received is hidden: Lambda advises six timeouts of the function that reads it. */
  readonly visibilityTimeout: Duration;
  /**
   * How often a message is received before it goes to the failures.
   *
   * @default 20
   */
  readonly maxReceiveCount?: number;
  /**
   * How long the archive keeps events.
   *
   * @default for ever
   */
  readonly archiveDays?: number;
  /**
   * For bus, archive and queue.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
}

/**
 * An event bus that producers put events on, its archive, and a rule that hands them to a queue. What can't be handed
 * on is kept in a second queue, whole, whoever failed: the bus, the rule, or the reader of the queue.
 */
export class EventIntake extends Construct {
  readonly eventBusName: string;
  readonly ruleName: string;
  /** EventBridge events, one in a message. */
  readonly queue: sqs.Queue;
  /** Events that could not be handed on. Set an alarm on it. */
  readonly failures: sqs.Queue;

  constructor(scope: Construct, id: string, props: EventIntakeProps) {
    super(scope, id);
    this.eventBusName = props.eventBusName;
    this.ruleName = props.name;
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;
    const queueProps = { encryption: sqs.QueueEncryption.KMS, enforceSSL: true, retentionPeriod: LONGEST_RETENTION };
    this.failures = new sqs.Queue(this, "Failures", {
      ...queueProps,
      queueName: `${props.name}-failures`,
      encryptionMasterKey: props.failuresKey ?? props.key,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.queue = new sqs.Queue(this, "Queue", {
      ...queueProps,
      queueName: props.name,
      encryptionMasterKey: props.key,
      visibilityTimeout: props.visibilityTimeout,
      deadLetterQueue: { queue: this.failures, maxReceiveCount: props.maxReceiveCount ?? MAX_RECEIVE_COUNT },
      removalPolicy,
    });
    const busArn = this.#bus(props, removalPolicy);
    const ruleArn = this.#ruleArn();
    allowEvents(this.queue, ruleArn);
    allowEvents(this.failures, ruleArn, busArn);
  }

  /** @returns The ARN of the bus */
  #bus(props: EventIntakeProps, removalPolicy: RemovalPolicy): string {
    const deadLetterConfig = { arn: this.failures.queueArn };
    const eventPattern = { "detail-type": [props.detailType] };
    const bus = new events.CfnEventBus(this, "Bus", {
      name: this.eventBusName,
      description: props.description,
      kmsKeyIdentifier: props.key.keyArn,
      // Events that the bus could not encrypt or decrypt.
      deadLetterConfig,
    });
    const archive = new events.CfnArchive(this, "Archive", {
      archiveName: this.eventBusName,
      description: `${props.what}, to be sent again`,
      sourceArn: bus.attrArn,
      eventPattern,
      ...(props.archiveDays === undefined ? {} : { retentionDays: props.archiveDays }),
      kmsKeyIdentifier: props.key.keyArn,
    });
    for (const kept of [bus, archive]) kept.applyRemovalPolicy(removalPolicy);
    const rule = new events.CfnRule(this, "Rule", {
      name: this.ruleName,
      description: `${props.what} to their queue`,
      eventBusName: bus.ref,
      eventPattern,
      targets: [{ id: props.what, arn: this.queue.queueArn, deadLetterConfig }],
    });
    rule.node.addDependency(this.queue, this.failures);
    return bus.attrArn;
  }

  /** ARN of the rule, by its name: the policies of the queues are there before the rule is. */
  #ruleArn(): string {
    return Stack.of(this).formatArn({
      service: "events",
      resource: "rule",
      resourceName: `${this.eventBusName}/${this.ruleName}`,
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
