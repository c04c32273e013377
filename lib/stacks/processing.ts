import { Aws, aws_ecs as ecs, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { pipelineTopics, type PipelineName } from "../../config/rules.ts";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { consumerGroups } from "../../domain/names.ts";
import { topics } from "../../domain/topics.ts";
import { acknowledgeWildcards } from "../constructs/acknowledge.ts";
import { allowReadBucket, allowTable } from "../constructs/grants.ts";
import { HEALTH_PORT, StreamService } from "../constructs/stream-service.ts";
import { lagPerTask } from "../monitoring/metrics.ts";
import { resourceName } from "../names.ts";
import type { NetworkStack } from "./network.ts";
import type { SecurityStack } from "./security.ts";
import { MillraceStack } from "./stack.ts";
import type { StateStack } from "./state.ts";
import type { StreamingStack } from "./streaming.ts";

/** Consumer group of each pipeline. */
export const pipelineGroups = {
  sensor: consumerGroups.sensorProcessor,
  market: consumerGroups.marketProcessor,
} as const satisfies Record<PipelineName, string>;

/** ECS cluster and one processor service per pipeline. */
export class ProcessingStack extends MillraceStack {
  readonly cluster: ecs.ICluster;
  readonly services: Partial<Record<PipelineName, StreamService>> = {};

  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    needs: {
      readonly network: NetworkStack;
      readonly security: SecurityStack;
      readonly streaming: StreamingStack;
      readonly state: StateStack;
    },
  ) {
    super(scope, id, { config, stateful: false, description: "ECS cluster and processor services" });
    this.cluster = new ecs.Cluster(this, "Cluster", {
      clusterName: resourceName(config, "cluster"),
      vpc: needs.network.vpc,
      containerInsightsV2: ecs.ContainerInsights.ENABLED,
    }) as ecs.ICluster;
    for (const name of Object.keys(pipelineTopics) as PipelineName[]) {
      if (config.processor[name] !== null) this.services[name] = this.#service(name, config.processor[name], needs);
    }
  }

  #service(
    pipeline: PipelineName,
    size: NonNullable<Environment["processor"][PipelineName]>,
    { network, security, streaming, state }: ConstructorParameters<typeof ProcessingStack>[3],
  ): StreamService {
    const { config } = this;
    const { processor } = config;
    const service = new StreamService(this, {
      name: `processor-${pipeline}`,
      program: "processor",
      cluster: this.cluster,
      desiredCount: size.minTasks,
      // One vCPU: a task's work is one thread's, and a scoring one beside it.
      cpu: 1024,
      memoryMiB: size.memoryMiB,
      key: security.keys.operations,
      subnets: network.privateSubnets,
      securityGroup: network.securityGroups.processor,
      assignPublicIp: false,
      deployment: "rolling",
      environment: writeSettings("processor", {
        environment: config.name,
        region: Aws.REGION,
        kafkaBrokers: streaming.cluster.bootstrapBrokers,
        kafkaAuth: "iam",
        pipeline,
        checkpointTable: state.tables.checkpoints.tableName,
        delivery: processor.delivery,
        commitIntervalMs: processor.commitIntervalMs,
        snapshotIntervalMs: processor.snapshotIntervalMs,
        modelSource: `s3://${state.models.bucketName}/models`,
        healthPort: HEALTH_PORT,
        ...config.semantics,
      }),
    });
    this.#rights(service, pipeline, { security, streaming, state });
    this.#scale(service, pipeline, size, streaming);
    return service;
  }

  #rights(
    service: StreamService,
    pipeline: PipelineName,
    {
      security,
      streaming,
      state,
    }: Pick<ConstructorParameters<typeof ProcessingStack>[3], "security" | "streaming" | "state">,
  ): void {
    const { input, outputs } = pipelineTopics[pipeline];
    const { cluster } = streaming;
    cluster.grantRead(service, [topics[input].name, topics.progress.name], [pipelineGroups[pipeline]]);
    cluster.grantWrite(
      service,
      [...outputs, "deadLetter" as const, "progress" as const].map((key) => topics[key].name),
    );
    cluster.grantTransactions(service, this.config.name, pipeline, topics[input].name);
    allowTable(service, state.tables.checkpoints, security.keys.state, ["GetItem", "PutItem", "DeleteItem"]);
    allowReadBucket(service, state.models, security.keys.state);
    acknowledgeWildcards(service, {
      [`.${topics[input].name}.*`]: "the transactional ids of one pipeline end in a partition number",
      "/*": "models are read by their names, in a bucket that holds nothing else",
    });
  }

  #scale(
    service: StreamService,
    pipeline: PipelineName,
    size: NonNullable<Environment["processor"][PipelineName]>,
    streaming: StreamingStack,
  ): void {
    const scaling = service.service.autoScaleTaskCount({ minCapacity: size.minTasks, maxCapacity: size.maxTasks });
    scaling.scaleOnCpuUtilization("Cpu", {
      targetUtilizationPercent: 65,
      scaleInCooldown: Duration.minutes(10),
      scaleOutCooldown: Duration.minutes(2),
    });
    scaling.scaleOnMetric("Lag", {
      metric: lagPerTask({
        kafkaCluster: streaming.clusterName,
        group: pipelineGroups[pipeline],
        topic: topics[pipelineTopics[pipeline].input].name,
        ecsCluster: this.cluster.clusterName,
        service: service.service.serviceName,
      }),
      scalingSteps: [
        { lower: size.lagPerTask, change: 1 },
        { lower: 5 * size.lagPerTask, change: 3 },
      ],
      evaluationPeriods: 2,
      cooldown: Duration.minutes(3),
    });
  }
}
