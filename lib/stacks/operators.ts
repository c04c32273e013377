import { ArnFormat, aws_ec2 as ec2, CfnOutput } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { OPS_TASK } from "../../config/operator-commands.ts";
import { runningPipelineNames, runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { environmentTopics } from "../../config/topics.ts";
import { eventSourceMappings } from "../../domain/event-source-mappings.ts";
import { consumerGroups } from "../../domain/names.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { type FunctionName, functions, operatorRoutes } from "../../domain/routes.ts";
import { topics } from "../../domain/topics.ts";
import { logGroupProps } from "../constructs/log-group.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { OperatorsApi } from "../constructs/operators-api.ts";
import { resourceName } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow, allowReadBucket } from "../reusable/grants.ts";
import type { NetworkStack } from "./network.ts";
import type { OperationsStack } from "./operations.ts";
import type { SecurityStack } from "./security.ts";
import type { ServingStack } from "./serving.ts";
import type { StateStack } from "./state.ts";
import type { StreamingStack } from "./streaming.ts";

export interface OperatorsNeeds {
  readonly network: NetworkStack;
  readonly security: SecurityStack;
  readonly streaming: StreamingStack;
  readonly state: StateStack;
  /** Has the task that runs commands. */
  readonly operations: OperationsStack;
  /** Deployed before: the account's role for the logs of APIs is there, where this environment owns it. */
  readonly serving: ServingStack;
}

/** The operators' API, private to the VPC, with its functions. */
export class OperatorsStack extends MillraceStack {
  readonly api: OperatorsApi;

  constructor(scope: Construct, id: string, config: Environment, needs: OperatorsNeeds) {
    super(scope, id, { config, stateful: false, description: "the operators' API, private to the VPC" });
    const { network, security, serving } = needs;
    this.addStackDependency(serving);
    this.api = new OperatorsApi(this, "Operators", {
      restApiName: resourceName(config, "operators"),
      description: `Millrace ${config.name}: the operators' API`,
      accessLog: logGroupProps({ config, name: "operators-access", key: security.keys.operations }),
      endpoint: this.#endpoint(network),
      functions: {
        "read-components": this.#readComponents(needs).function,
        "read-log": this.#readLog(needs).function,
        "read-models": this.#readModels(needs).function,
        "send-letter": this.#sendLetter(needs).function,
        "start-command": this.#startCommand(needs).function,
      },
    });
    new CfnOutput(this, OPERATORS_URL_OUTPUT, { value: this.api.url, description: "operators' API, inside the VPC" });
  }

  /**
   * By which the API is reached. It takes no names for itself: with them every API of the region would be sought behind
   * it, and live's requests to the WebSocket API would be refused
   * (https://repost.aws/knowledge-center/api-gateway-vpc-connections).
   */
  #endpoint({ vpc, privateSubnets: subnets, securityGroups }: NetworkStack): ec2.InterfaceVpcEndpoint {
    return new ec2.InterfaceVpcEndpoint(this, "Endpoint", {
      vpc,
      service: ec2.InterfaceVpcEndpointAwsService.APIGATEWAY,
      subnets,
      securityGroups: [securityGroups.endpoints],
      open: false,
      privateDnsEnabled: false,
    });
  }

  /** Reads metrics, alarms and services; it is not in the VPC, where their services have no endpoint. */
  #readComponents({ security }: OperatorsNeeds): MillraceFunction {
    const { config } = this;
    const cluster = resourceName(config, "cluster");
    const services = [
      ...Array.from({ length: config.bridge.tasks }, (_, index) => `bridge-${index}`),
      ...runningPipelines(config).map(({ name }) => `processor-${name}`),
      "live",
    ];
    const made = new MillraceFunction(this, {
      ...common("read-components"),
      environment: writeSettings("readComponents", {
        environment: config.name,
        pipelines: runningPipelineNames(config),
        ecsCluster: cluster,
        ecsServices: services.join(","),
      }),
      key: security.keys.operations,
    });
    allow(made, ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"], ["*"]);
    acknowledgeWildcards(made, { "*": "CloudWatch's lists of alarms and metrics take no resource" });
    allow(
      made,
      ["ecs:DescribeServices"],
      services.map((name) =>
        this.formatArn({
          service: "ecs",
          resource: "service",
          resourceName: `${cluster}/${resourceName(config, name)}`,
        }),
      ),
    );
    return made;
  }

  /** Reads every topic and every group's offsets. It joins no group, and writes nothing. */
  #readLog(needs: OperatorsNeeds): MillraceFunction {
    const { config } = this;
    const { cluster } = needs.streaming;
    const made = this.#inVpc("read-log", needs);
    const names = environmentTopics(config).map(({ name }) => name);
    const mappings = existingWhere(eventSourceMappings, runningPipelineNames(config));
    cluster.grantPeek(made, names);
    cluster.grantSeeGroups(made, [
      ...new Set([
        ...runningPipelines(config).map(({ consumerGroup }) => consumerGroup),
        ...mappings.map(({ consumerGroup }) => consumerGroup),
        consumerGroups.live,
        consumerGroups.rejectedNotices,
      ]),
    ]);
    return made;
  }

  /** Reads the store of models, and the newest scores. */
  #readModels(needs: OperatorsNeeds): MillraceFunction {
    const made = this.#inVpc("read-models", needs, modelSource(needs));
    needs.streaming.cluster.grantPeek(made, [topics.inference.name]);
    this.#letReadModels(made, needs);
    return made;
  }

  /** Reads dead letters, and which were sent again; appends their records to the inputs, and that it has done so. */
  #sendLetter(needs: OperatorsNeeds): MillraceFunction {
    const made = this.#inVpc("send-letter", needs);
    const { cluster } = needs.streaming;
    const inputs = runningPipelines(this.config).map(({ input }) => topics[input].name);
    cluster.grantPeek(made, [topics.deadLetter.name, topics.progress.name]);
    cluster.grantWrite(made, [...inputs, topics.progress.name]);
    return made;
  }

  /** Starts the task of `npm run on-aws`; it is not in the VPC, where ECS has no endpoint. */
  #startCommand(needs: OperatorsNeeds): MillraceFunction {
    const { config } = this;
    const { network, security, operations } = needs;
    const family = resourceName(config, OPS_TASK);
    const { subnetIds } = network.vpc.selectSubnets(network.outboundSubnets);
    const made = new MillraceFunction(this, {
      ...common("start-command"),
      environment: writeSettings("startCommand", {
        environment: config.name,
        modelSource: modelSource(needs),
        ecsCluster: resourceName(config, "cluster"),
        opsFamily: family,
        opsSubnets: subnetIds.join(","),
        opsSecurityGroup: network.securityGroups.processor.securityGroupId,
        opsPublicAddress: config.network.natGateways > 0 ? "no" : "yes",
      }),
      key: security.keys.operations,
    });
    this.#letReadModels(made, needs);
    const { task, taskRole } = operations.task;
    const arn = this.formatArn({ service: "ecs", resource: "task-definition", resourceName: family });
    allow(made, ["ecs:RunTask"], [`${arn}:*`], {
      ArnEquals: {
        "ecs:cluster": this.formatArn({
          service: "ecs",
          resource: "cluster",
          resourceName: resourceName(config, "cluster"),
          arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
        }),
      },
    });
    allow(made, ["iam:PassRole"], [taskRole.roleArn, task.obtainExecutionRole().roleArn], {
      StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" },
    });
    acknowledgeWildcards(made, { [`/${family}:*`]: "every revision of the one task" });
    return made;
  }

  /** A function that reaches Kafka. */
  #inVpc(
    name: "read-log" | "read-models" | "send-letter",
    { network, security, streaming }: OperatorsNeeds,
    models?: string,
  ): MillraceFunction {
    return new MillraceFunction(this, {
      ...common(name),
      environment: writeSettings("operators", {
        environment: this.config.name,
        kafkaBrokers: streaming.cluster.bootstrapBrokers,
        kafkaAuth: "iam",
        ...(models === undefined ? {} : { modelSource: models }),
      }),
      key: security.keys.operations,
      network: { vpc: network.vpc, subnets: network.privateSubnets, securityGroup: network.securityGroups.operators },
    });
  }

  #letReadModels(made: MillraceFunction, { state, security }: OperatorsNeeds): void {
    allowReadBucket(made, state.models, security.keys.state);
    acknowledgeWildcards(made, { "/*": "models are read by their names, in a bucket that holds nothing else" });
  }
}

function modelSource({ state }: OperatorsNeeds): string {
  return `s3://${state.models.bucketName}/models`;
}

/** Output of the stack with the API's address. */
export const OPERATORS_URL_OUTPUT = "OperatorsUrl";

function common(name: FunctionName): { name: string; description: string; timeoutSeconds: number; memoryMiB: number } {
  const paths = operatorRoutes.filter((route) => route.function === name).map(({ path }) => path);
  const { timeoutSeconds, memoryMb } = functions[name];
  return { name, description: `operators' API: ${paths.join(", ")}`, timeoutSeconds, memoryMiB: memoryMb };
}
