import { Aws, aws_ecs as ecs, CustomResource } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { runningPipelines, type RunningPipeline } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { logName } from "../../domain/names.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { pickSemantics } from "../../domain/semantics.ts";
import { type TopicKey, topics } from "../../domain/topics.ts";
import { lagPerTask } from "../constructs/metrics.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { scaleByCpu, scaleByMetric, tasks } from "../constructs/scaling.ts";
import { resourceName } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import type { ContainerService } from "../reusable/container-service.ts";
import { allowReadBucket, allowTable } from "../reusable/grants.ts";
import type { NetworkStack } from "./network.ts";
import { HEALTH_PORT, programService } from "./programs.ts";
import type { SecurityStack } from "./security.ts";
import type { StateStack } from "./state.ts";
import type { StreamingStack } from "./streaming.ts";

/** A task has one vCPU, and catches up after a restart with what is left of it. */
const CPU_PERCENT = 65;

export interface ProcessingNeeds {
  readonly network: NetworkStack;
  readonly security: SecurityStack;
  readonly streaming: StreamingStack;
  readonly state: StateStack;
}

/** Whether a pipeline scores: models are read by those that do. */
const scores = (outputs: readonly TopicKey[]): boolean => outputs.includes("inference");

/** ECS cluster, and one processor service per pipeline that the config runs. */
export class ProcessingStack extends MillraceStack {
  readonly cluster: ecs.ICluster;
  readonly services: Partial<Record<PipelineName, ContainerService>> = {};

  constructor(scope: Construct, id: string, config: Environment, needs: ProcessingNeeds) {
    super(scope, id, { config, stateful: false, description: "ECS cluster and processor services" });
    this.cluster = new ecs.Cluster(this, "Cluster", {
      clusterName: resourceName(config, "cluster"),
      vpc: needs.network.vpc,
      containerInsightsV2: ecs.ContainerInsights.ENABLED,
    }) as ecs.ICluster;
    for (const pipeline of runningPipelines(config)) {
      const service = this.#service(pipeline, needs);
      this.#rights(service, pipeline, needs);
      this.#scale(service, pipeline, needs.streaming);
      this.#settings(service, pipeline, needs.streaming);
      this.services[pipeline.name] = service;
    }
  }

  #service(
    { name, size, outputs }: RunningPipeline,
    { network, security, streaming, state }: ProcessingNeeds,
  ): ContainerService {
    const { config } = this;
    const { delivery, commitIntervalMs, transactionsPerSecond, snapshotIntervalMs } = config.processor;
    return programService(this, {
      name: `processor-${name}`,
      program: "processor",
      cluster: this.cluster,
      // One vCPU: a task's work runs on one thread; a second thread scores beside it.
      cpu: 1024,
      memoryMiB: size.memoryMiB,
      key: security.keys.operations,
      subnets: network.privateSubnets,
      securityGroup: network.securityGroups.processor,
      assignPublicIp: false,
      deployment: "rolling",
      environment: writeSettings("processor", {
        environment: config.name,
        metricsLog: "emf",
        region: Aws.REGION,
        kafkaBrokers: streaming.cluster.bootstrapBrokers,
        kafkaAuth: "iam",
        pipeline: name,
        logGeneration: size.logGeneration,
        checkpointTable: state.tables.checkpoints.tableName,
        delivery,
        commitIntervalMs,
        transactionsPerSecond,
        snapshotIntervalMs,
        ...(scores(outputs) ? { modelSource: `s3://${state.models.bucketName}/models` } : {}),
        healthPort: HEALTH_PORT,
        ...config.semantics,
      }),
    });
  }

  #rights(service: ContainerService, pipeline: RunningPipeline, { security, streaming, state }: ProcessingNeeds): void {
    const { cluster } = streaming;
    const input = topics[pipeline.input].name;
    const outputs = [...pipeline.outputs, "deadLetter" as const, "progress" as const];
    cluster.grantRead(service, [input, topics.progress.name], [pipeline.consumerGroup]);
    cluster.grantWrite(
      service,
      outputs.map((key) => topics[key].name),
    );
    const log = logName(input, pipeline.size.logGeneration);
    cluster.grantTransactions(service, this.config.name, pipeline.name, log);
    allowTable(service, state.tables.checkpoints, security.keys.state, ["GetItem", "PutItem", "DeleteItem"]);
    acknowledgeWildcards(service, { [`.${log}.*`]: "the transactional ids of one pipeline end in a partition number" });
    if (!scores(pipeline.outputs)) return;
    allowReadBucket(service, state.models, security.keys.state);
    acknowledgeWildcards(service, { "/*": "models are read by their names, in a bucket that holds nothing else" });
  }

  /** The config's semantics in force, by a record in the input: behind the service, whose tasks must read it. */
  #settings({ service }: ContainerService, { name, input }: RunningPipeline, { toolsToken }: StreamingStack): void {
    const resource = new CustomResource(this, `Settings-${name}`, {
      serviceToken: toolsToken,
      resourceType: "Custom::PipelineSettings",
      properties: { Input: topics[input].name, Settings: JSON.stringify(pickSemantics(this.config.semantics)) },
    });
    resource.node.addDependency(service);
  }

  /** Between the config's task counts, out and in: by CPU, and by lag per task where the CPU is not what limits. */
  #scale({ service }: ContainerService, { size, ...pipeline }: RunningPipeline, streaming: StreamingStack): void {
    const scaling = service.autoScaleTaskCount(tasks(size));
    scaleByCpu(scaling, CPU_PERCENT);
    scaleByMetric(scaling, "Lag", {
      metric: lagPerTask({
        kafkaCluster: streaming.clusterName,
        group: pipeline.consumerGroup,
        topic: topics[pipeline.input].name,
        ecsCluster: this.cluster.clusterName,
        service: service.serviceName,
      }),
      targetValue: size.lagPerTask,
    });
  }
}
