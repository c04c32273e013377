import {
  Aws,
  aws_ecs as ecs,
  aws_events as events,
  aws_events_targets as targets,
  aws_iam as iam,
  Duration,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import { OPS_CONTAINER, OPS_TASK, programOf } from "../../config/operator-commands.ts";
import { runningPipelineNames, runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { changeGroup } from "../../domain/controls.ts";
import { eventSourceMappings } from "../../domain/event-source-mappings.ts";
import { featureGroupName, logName } from "../../domain/names.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { SECOND } from "../../domain/time.ts";
import { topics } from "../../domain/topics.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { letQueryOfflineStores } from "../constructs/offline-queries.ts";
import { resourceName } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import type { ContainerTask } from "../reusable/container-task.ts";
import { allow, allowKey, allowReadBucket, allowSecret, allowTable } from "../reusable/grants.ts";
import { documentSettings } from "./document-settings.ts";
import type { LakeStack } from "./lake.ts";
import type { ProcessingNeeds, ProcessingStack } from "./processing.ts";
import { programTask } from "./programs.ts";

/** The task runs in the cluster, the subnets and the security group of the processors. */
export type OperationsNeeds = ProcessingNeeds & {
  readonly processing: ProcessingStack;
  readonly lake: LakeStack;
};

/** As long as Fargate allows: a command that holds a task lets it go before it ends. */
const STOP_TIMEOUT = Duration.seconds(120);
/** `restore` and `backfill` hold the state of all partitions, and DuckDB up to 1 GB beside them. */
const MEMORY_MIB = 8192;
/** Of it, what is JavaScript's: Node would take a quarter. */
const HEAP_MIB = 6144;
/** The most that Fargate has: `replay`, `restore` and `backfill` copy the lake's log to half of it. */
const STORAGE_GIB = 200;
/** How long Firehose takes to deliver a full buffer, at most. */
const DELIVERY_SECONDS = 60;
/** Where the image has the certificate authorities of DocumentDB. */
const CA_FILE = "/app/documents-ca.pem";

/** The task in which `npm run on-aws` runs an operator's command, with a role of its own. */
export class OperationsStack extends MillraceStack {
  readonly task: ContainerTask;

  constructor(scope: Construct, id: string, config: Environment, needs: OperationsNeeds) {
    super(scope, id, { config, stateful: false, description: "the task that runs an operator's commands" });
    const { security, streaming, state, lake, processing } = needs;
    this.addStackDependency(processing);
    const { delivery } = config.processor;
    const [first] = runningPipelines(config);
    this.task = programTask(this, {
      name: OPS_TASK,
      program: "processor",
      cpu: 1024,
      memoryMiB: MEMORY_MIB,
      storageGiB: STORAGE_GIB,
      key: security.keys.operations,
      // Whoever gave the command reads every line: it waits for them.
      logMode: ecs.AwsLogDriverMode.BLOCKING,
      container: { stopTimeout: STOP_TIMEOUT },
      environment: {
        NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}`,
        ...writeSettings("store", { ...documentSettings(state), mongodbCaFile: CA_FILE }),
        ...writeSettings("checkFeatures", {
          featureGroup: featureGroupName(config.name, "sensorWindows"),
          athenaWorkGroup: lake.workGroup.name,
        }),
        ...writeSettings("erase", { lakeBufferMs: (config.lake.bufferSeconds + DELIVERY_SECONDS) * SECOND }),
        ...writeSettings("processor", {
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
      },
    });
    this.#kafkaRights(needs);
    const { taskRole } = this.task;
    allowTable(taskRole, state.tables.checkpoints, security.keys.state, ["GetItem", "PutItem", "DeleteItem"]);
    allowReadBucket(taskRole, state.models, security.keys.state);
    // A promotion notes in the store what was live before it.
    allow(taskRole, ["s3:PutObject"], [state.models.arnForObjects("models/*")]);
    allowKey(taskRole, security.keys.state, "s3", ["GenerateDataKey"]);
    this.#lakeRights(needs);
    allowSecret(taskRole, state.documentsSecret, security.keys.secrets);
    this.#compact(needs);
    acknowledgeWildcards(taskRole, {
      "/*": "models are read by their names, in a bucket that holds nothing else",
      "/models/*": "models are written by their names, in a bucket that holds nothing else",
    });
  }

  /** Joins the lake's small files each hour. A run ends before the next one. */
  #compact({ network, processing, lake }: OperationsNeeds): void {
    const task = this.task.task as ecs.ITaskDefinition;
    const role = new iam.Role(this, "CompactScheduleRole", {
      assumedBy: new iam.ServicePrincipal("events.amazonaws.com"),
      description: "starts the task that joins the lake's small files",
    });
    allow(role, ["ecs:RunTask"], [task.taskDefinitionArn], {
      ArnEquals: { "ecs:cluster": processing.cluster.clusterArn },
    });
    allow(role, ["iam:PassRole"], [task.taskRole.roleArn, this.task.task.obtainExecutionRole().roleArn], {
      StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" },
    });
    new events.Rule(this, "CompactSchedule", {
      ruleName: resourceName(this.config, "compact"),
      description: "joins the small files of the lake",
      schedule: events.Schedule.cron({ minute: "40" }),
      targets: [
        new targets.EcsTask({
          cluster: processing.cluster,
          taskDefinition: task,
          // The CDK would let it tag every task of the cluster.
          role: role.withoutPolicyUpdates(),
          subnetSelection: network.privateSubnets,
          securityGroups: [network.securityGroups.processor],
          assignPublicIp: false,
          containerOverrides: [
            {
              containerName: OPS_CONTAINER,
              command: ["--lake", `s3://${lake.bucket.bucketName}/tables`],
              environment: [{ name: "PROGRAM", value: programOf("compact") }],
            },
          ],
        }),
      ],
    });
  }

  /** Reads the lake. `erase` writes its files again, `compact` joins them. `erase` changes the feature store, too. */
  #lakeRights({ lake, security }: OperationsNeeds): void {
    const { taskRole } = this.task;
    allow(taskRole, ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], [lake.bucket.arnForObjects("tables/*")]);
    acknowledgeWildcards(taskRole, { "/tables/*": "Firehose names the objects of the lake's tables" });
    const group = lake.featureGroups.sensorWindows;
    if (group === undefined) {
      allow(taskRole, ["s3:ListBucket"], [lake.bucket.bucketArn]);
      allowKey(taskRole, security.keys.readings, "s3", ["Decrypt", "GenerateDataKey"]);
      return;
    }
    const arn = this.formatArn({ service: "sagemaker", resource: "feature-group", resourceName: group.ref });
    allow(taskRole, ["sagemaker:DescribeFeatureGroup", "sagemaker:GetRecord", "sagemaker:DeleteRecord"], [arn]);
    allowKey(taskRole, security.keys.readings, "sagemaker", ["Decrypt", "GenerateDataKey"]);
    letQueryOfflineStores(this, taskRole, {
      bucket: lake.bucket,
      workGroup: lake.workGroup,
      key: security.keys.readings,
      erases: true,
    });
  }

  /**
   * Reads every topic; writes control records, dead letters sent again, progress, and outputs when they are restored;
   * holds tasks; adds partitions.
   */
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
    cluster.grantWrite(taskRole, [...inputs, ...outputs, topics.progress.name, topics.changes.name]);
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
