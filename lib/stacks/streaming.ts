import { aws_iam as iam, aws_msk as msk, CustomResource, custom_resources as cr, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { environmentTopics } from "../../config/topics.ts";
import { changeGroup } from "../../domain/controls.ts";
import { CHECK_GROUP, transactionalId } from "../../domain/names.ts";
import { pickSemantics } from "../../domain/semantics.ts";
import { checkTopic, topics } from "../../domain/topics.ts";
import { KafkaCluster } from "../constructs/kafka-cluster.ts";
import { logGroup } from "../constructs/log-group.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { resourceName } from "../names.ts";
import {
  acknowledge,
  acknowledgeCdkFunctions,
  acknowledgeManagedPolicies,
  acknowledgeWildcards,
} from "../reusable/acknowledge.ts";
import type { NetworkStack } from "./network.ts";
import type { SecurityStack } from "./security.ts";

export interface StreamingNeeds {
  readonly network: NetworkStack;
  readonly security: SecurityStack;
}

/** MSK Serverless with its topics, and the functions that test it. */
export class StreamingStack extends MillraceStack {
  readonly cluster: KafkaCluster;
  readonly clusterName: string;
  readonly testFunctions: readonly MillraceFunction[];
  /** Service token of the custom resources `Custom::KafkaTopics` and `Custom::PipelineSettings`. */
  readonly toolsToken: string;

  constructor(scope: Construct, id: string, config: Environment, needs: StreamingNeeds) {
    super(scope, id, { config, stateful: true, description: "MSK Serverless and its topics" });
    this.clusterName = resourceName(config, "kafka");
    this.cluster = this.#cluster(needs);
    this.toolsToken = this.#topics(needs);
    this.testFunctions = [this.#produceTest(needs), this.#consumeTest(needs)];
    acknowledgeCdkFunctions(this, "AWS679f53fac002430cb0da5b7982bd2287", "makes one AWS call for a custom resource");
  }

  #cluster({ network, security }: StreamingNeeds): KafkaCluster {
    const cluster = new msk.CfnServerlessCluster(this, "Cluster", {
      clusterName: this.clusterName,
      clientAuthentication: { sasl: { iam: { enabled: true } } },
      vpcConfigs: [
        {
          subnetIds: network.vpc.selectSubnets(network.privateSubnets).subnetIds,
          securityGroups: [network.securityGroups.kafka.securityGroupId],
        },
      ],
      tags: { project: "millrace", environment: this.config.name, "data-class": "stateful", ...this.config.tags },
    });
    cluster.applyRemovalPolicy(this.dataRemovalPolicy);
    const brokers = this.#bootstrapBrokers(cluster.attrArn, security);
    this.#clusterPolicy(cluster.attrArn);
    return new KafkaCluster(cluster.attrArn, this.clusterName, brokers);
  }

  /** The cluster's CloudFormation resource gives its ARN alone, so a custom resource looks up the brokers. */
  #bootstrapBrokers(clusterArn: string, { keys }: SecurityStack): string {
    const call: cr.AwsSdkCall = {
      service: "Kafka",
      action: "getBootstrapBrokers",
      parameters: { ClusterArn: clusterArn },
      outputPaths: ["BootstrapBrokerStringSaslIam"],
      physicalResourceId: cr.PhysicalResourceId.of(`${this.clusterName}-bootstrap`),
    };
    const lookup = new cr.AwsCustomResource(this, "BootstrapBrokers", {
      onCreate: call,
      onUpdate: call,
      installLatestAwsSdk: false,
      logGroup: logGroup(this, "BootstrapLogs", {
        config: this.config,
        name: "function/bootstrap-brokers",
        key: keys.operations,
      }),
      timeout: Duration.minutes(2),
      resourceType: "Custom::KafkaBootstrapBrokers",
      policy: cr.AwsCustomResourcePolicy.fromStatements([
        new iam.PolicyStatement({ actions: ["kafka:GetBootstrapBrokers"], resources: [clusterArn] }),
      ]),
    });
    return lookup.getResponseField("BootstrapBrokerStringSaslIam");
  }

  /**
   * Principals of other accounts may not connect, whatever policies allow them. Services that act by themselves have no
   * account; those that act with a role have the role's. A request that says nothing of its account is left to the
   * policies that allow: a condition that negates holds where its key is missing, and would lock everybody out.
   */
  #clusterPolicy(clusterArn: string): void {
    new msk.CfnClusterPolicy(this, "ClusterPolicy", {
      clusterArn,
      policy: new iam.PolicyDocument({
        statements: [
          new iam.PolicyStatement({
            sid: "OwnAccountOnly",
            effect: iam.Effect.DENY,
            principals: [new iam.AnyPrincipal()],
            actions: ["kafka-cluster:Connect"],
            resources: [clusterArn],
            conditions: {
              StringNotEquals: { "aws:PrincipalAccount": this.account },
              Null: { "aws:PrincipalAccount": "false" },
              Bool: { "aws:PrincipalIsAWSService": "false" },
            },
          }),
        ],
      }),
    });
  }

  /** A function that administers or tests the cluster from inside the VPC. */
  #kafkaTool(
    { network, security }: StreamingNeeds,
    props: { readonly name: string; readonly description: string; readonly timeoutSeconds: number },
  ): MillraceFunction {
    return new MillraceFunction(this, {
      ...props,
      memoryMiB: 256,
      reservedConcurrency: 1,
      key: security.keys.operations,
      environment: writeSettings("kafkaTools", {
        environment: this.config.name,
        kafkaBrokers: this.cluster.bootstrapBrokers,
        kafkaAuth: "iam",
      }),
      network: { vpc: network.vpc, subnets: network.privateSubnets, securityGroup: network.securityGroups.topics },
    });
  }

  #produceTest(needs: StreamingNeeds): MillraceFunction {
    const produce = this.#kafkaTool(needs, {
      name: "produce-test",
      description: "deployment check: tries a Kafka transaction",
      timeoutSeconds: 60,
    });
    this.cluster.grantWrite(produce, [checkTopic.name]);
    this.cluster.grantTransactionalId(produce, transactionalId(this.config.name, "check", checkTopic.name, 0));
    return produce;
  }

  #consumeTest(needs: StreamingNeeds): MillraceFunction {
    const consume = this.#kafkaTool(needs, {
      name: "consume-test",
      description: "deployment check: reads what the transaction wrote",
      timeoutSeconds: 60,
    });
    this.cluster.grantRead(consume, [checkTopic.name], [CHECK_GROUP]);
    return consume;
  }

  /**
   * The topics, as a custom resource of the function `create-topics`. The function also puts settings in force.
   *
   * @returns The service token of its custom resources
   */
  #topics(needs: StreamingNeeds): string {
    const handler = this.#kafkaTool(needs, {
      name: "create-topics",
      description:
        "custom resources: creates topics and alters their settings, never deletes or widens; puts settings in force",
      timeoutSeconds: 300,
    });
    const wanted = [...environmentTopics(this.config), checkTopic];
    this.cluster.grantAdminister(
      handler,
      wanted.map(({ name }) => name),
    );
    const inputs = runningPipelines(this.config).map(({ input }) => topics[input].name);
    this.cluster.grantRead(handler, [topics.changes.name, topics.progress.name], [changeGroup]);
    this.cluster.grantWrite(handler, [topics.changes.name, ...inputs]);
    const { serviceToken } = this.#topicsProvider(handler, needs.security);
    const resource = new CustomResource(this, "Topics", {
      serviceToken,
      resourceType: "Custom::KafkaTopics",
      properties: {
        Topics: JSON.stringify(wanted),
        Inputs: JSON.stringify(inputs),
        Settings: JSON.stringify(pickSemantics(this.config.semantics)),
      },
    });
    resource.node.addDependency(handler.role);
    return serviceToken;
  }

  #topicsProvider(handler: MillraceFunction, { keys }: SecurityStack): cr.Provider {
    const provider = new cr.Provider(this, "TopicsProvider", {
      onEventHandler: handler.function,
      logGroup: logGroup(this, "TopicsProviderLogs", {
        config: this.config,
        name: "function/create-topics-provider",
        key: keys.operations,
      }),
    });
    acknowledge(provider, { L1: "runtime of the CDK's own provider, updated with the CDK" });
    acknowledgeManagedPolicies(provider, {
      AWSLambdaBasicExecutionRole: "the CDK's own provider: the policy lets it write its log",
    });
    acknowledgeWildcards(provider, {
      ".Arn>:*": "the CDK's own provider invokes any version of the one function that it is made for",
    });
    return provider;
  }
}
