import { Aws, aws_ecs as ecs, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { OPS_TASK } from "../../config/operator-commands.ts";
import { runningPipelineNames, runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { changeGroup } from "../../domain/controls.ts";
import { eventSourceMappings } from "../../domain/event-source-mappings.ts";
import { logName } from "../../domain/names.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { topics } from "../../domain/topics.ts";
import { acknowledgeWildcards } from "../constructs/acknowledge.ts";
import { allow, allowKey, allowReadBucket, allowTable } from "../constructs/grants.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { programTask, type ProgramTask } from "../constructs/program-task.ts";
import type { ProcessingNeeds, ProcessingStack } from "./processing.ts";

/** The task runs in the cluster, the subnets and the security group of the processors. */
export type OperationsNeeds = Omit<ProcessingNeeds, "network"> & { readonly processing: ProcessingStack };

/** As long as Fargate allows: a command that holds a task lets it go before it ends. */
const STOP_TIMEOUT = Duration.seconds(120);
/** `trace` reads at most 64 MB of each topic; `recover` and `rescale` hold the state of a partition. */
const MEMORY_MIB = 4096;

/** The task in which `npm run on-aws` runs an operator's command, with a role of its own. */
export class OperationsStack extends MillraceStack {
  readonly task: ProgramTask;

  constructor(scope: Construct, id: string, config: Environment, needs: OperationsNeeds) {
    super(scope, id, { config, stateful: false, description: "the task that runs an operator's commands" });
    const { security, streaming, state, processing } = needs;
    this.addStackDependency(processing);
    const { delivery } = config.processor;
    const [first] = runningPipelines(config);
    this.task = programTask(this, {
      config,
      name: OPS_TASK,
      program: "processor",
      cpu: 1024,
      memoryMiB: MEMORY_MIB,
      key: security.keys.operations,
      logName: "task/ops",
      // Whoever gave the command reads every line: it waits for them.
      logMode: ecs.AwsLogDriverMode.BLOCKING,
      container: { stopTimeout: STOP_TIMEOUT },
      environment: writeSettings("processor", {
        environment: config.name,
        region: Aws.REGION,
        kafkaBrokers: streaming.cluster.bootstrapBrokers,
        kafkaAuth: "iam",
        // `npm run on-aws -- --pipeline` gives another one.
        ...(first ? { pipeline: first.name, logGeneration: first.size.logGeneration } : {}),
        checkpointTable: state.tables.checkpoints.tableName,
        delivery,
        modelSource: `s3://${state.models.bucketName}/models`,
        ...config.semantics,
      }),
    });
    this.#kafkaRights(needs);
    const { taskRole } = this.task;
    allowTable(taskRole, state.tables.checkpoints, security.keys.state, ["GetItem", "PutItem", "DeleteItem"]);
    allowReadBucket(taskRole, state.models, security.keys.state);
    // A promotion notes in the store what was live before it.
    allow(taskRole, ["s3:PutObject"], [state.models.arnForObjects("models/*")]);
    allowKey(taskRole, security.keys.state, "s3", ["GenerateDataKey"]);
    acknowledgeWildcards(taskRole, {
      "/*": "models are read by their names, in a bucket that holds nothing else",
      "/models/*": "models are written by their names, in a bucket that holds nothing else",
    });
  }

  /** Reads every topic; writes control records, dead letters sent again, progress; holds tasks; adds partitions. */
  #kafkaRights({ streaming: { cluster } }: OperationsNeeds): void {
    const { taskRole } = this.task;
    const running = runningPipelines(this.config);
    const inputs = running.map(({ input }) => topics[input].name);
    const outputs = running.flatMap((pipeline) => pipeline.outputs.map((key) => topics[key].name));
    const own = [topics.deadLetter.name, topics.progress.name, topics.changes.name];
    const groups = running.map(({ consumerGroup }) => consumerGroup);
    const readers = existingWhere(eventSourceMappings, runningPipelineNames(this.config));
    cluster.grantRead(taskRole, [...inputs, ...outputs, ...own], [...groups, changeGroup]);
    cluster.grantReadLag(
      taskRole,
      inputs,
      readers.map(({ consumerGroup }) => consumerGroup),
    );
    cluster.grantWrite(taskRole, [...inputs, topics.progress.name, topics.changes.name]);
    cluster.grantWiden(taskRole, [...inputs, ...outputs, topics.deadLetter.name, topics.progress.name]);
    for (const { name, input, size } of running) {
      const log = logName(topics[input].name, size.logGeneration);
      cluster.grantTransactions(taskRole, this.config.name, name, log);
      acknowledgeWildcards(taskRole, {
        [`.${log}.*`]: "the transactional ids of one pipeline end in a partition number",
      });
    }
  }
}
