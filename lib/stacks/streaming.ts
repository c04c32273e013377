import {
  aws_iam as iam,
  aws_logs as logs,
  aws_msk as msk,
  CustomResource,
  custom_resources as cr,
  Duration,
  RemovalPolicy,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { environmentTopics } from "../../config/topics.ts";
import { CHECK_GROUP, transactionalId } from "../../domain/names.ts";
import { checkTopic } from "../../domain/topics.ts";
import {
  acknowledge,
  acknowledgeCdkFunctions,
  acknowledgeManagedPolicies,
  acknowledgeWildcards,
} from "../constructs/acknowledge.ts";
import { KafkaCluster } from "../constructs/kafka-cluster.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import { logGroupName, resourceName } from "../names.ts";
import type { NetworkStack } from "./network.ts";
import type { SecurityStack } from "./security.ts";
import { MillraceStack } from "./stack.ts";

/** MSK Serverless with its topics, and the functions that test it. */
export class StreamingStack extends MillraceStack {
  readonly cluster: KafkaCluster;
  readonly clusterName: string;
  readonly testFunctions: readonly MillraceFunction[];

  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    needs: { readonly network: NetworkStack; readonly security: SecurityStack },
  ) {
    super(scope, id, { config, stateful: true, description: "MSK Serverless and its topics" });
    const { network, security } = needs;
    this.clusterName = resourceName(config, "kafka");
    const cluster = new msk.CfnServerlessCluster(this, "Cluster", {
      clusterName: this.clusterName,
      clientAuthentication: { sasl: { iam: { enabled: true } } },
      vpcConfigs: [
        {
          subnetIds: network.vpc.selectSubnets(network.privateSubnets).subnetIds,
          securityGroups: [network.securityGroups.kafka.securityGroupId],
        },
      ],
      tags: { project: "millrace", environment: config.name, "data-class": "stateful", ...config.tags },
    });
    cluster.applyRemovalPolicy(this.dataRemovalPolicy);
    this.cluster = new KafkaCluster(
      cluster.attrArn,
      this.clusterName,
      this.#bootstrapBrokers(cluster.attrArn, security),
    );
    this.#clusterPolicy(cluster.attrArn);

    const kafkaTool = (name: string, description: string, timeoutSeconds: number): MillraceFunction =>
      new MillraceFunction(this, {
        name,
        description,
        timeoutSeconds,
        memoryMiB: 256,
        reservedConcurrency: 1,
        key: security.keys.operations,
        environment: writeSettings("kafkaTools", {
          environment: config.name,
          kafkaBrokers: this.cluster.bootstrapBrokers,
          kafkaAuth: "iam",
        }),
        network: { vpc: network.vpc, subnets: network.privateSubnets, securityGroup: network.securityGroups.topics },
      });
    this.#topics(
      kafkaTool("create-topics", "custom resource: creates and widens the topics, never deletes", 300),
      security,
    );
    const produce = kafkaTool("produce-test", "deployment check: tries a Kafka transaction", 60);
    this.cluster.grantWrite(produce, [checkTopic.name]);
    this.cluster.grantTransactionalId(produce, transactionalId(config.name, "check", checkTopic.name, 0));
    const consume = kafkaTool("consume-test", "deployment check: reads what the transaction wrote", 60);
    this.cluster.grantRead(consume, [checkTopic.name], [CHECK_GROUP]);
    this.testFunctions = [produce, consume];
    acknowledgeCdkFunctions(this, "AWS679f53fac002430cb0da5b7982bd2287", "makes one AWS call for a custom resource");
  }

  /** The cluster's CloudFormation resource gives only its ARN: the brokers are asked for. */
  #bootstrapBrokers(clusterArn: string, security: SecurityStack): string {
    const logGroup = new logs.LogGroup(this, "BootstrapLogs", {
      logGroupName: logGroupName(this.config, "function/bootstrap-brokers"),
      encryptionKey: security.keys.operations,
      retention: this.config.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
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
      logGroup,
      timeout: Duration.minutes(2),
      resourceType: "Custom::KafkaBootstrapBrokers",
      policy: cr.AwsCustomResourcePolicy.fromStatements([
        new iam.PolicyStatement({ actions: ["kafka:GetBootstrapBrokers"], resources: [clusterArn] }),
      ]),
    });
    return lookup.getResponseField("BootstrapBrokerStringSaslIam");
  }

  /** Whatever other accounts are given elsewhere, this cluster serves its own account alone. */
  #clusterPolicy(clusterArn: string): void {
    new msk.CfnClusterPolicy(this, "ClusterPolicy", {
      clusterArn,
      policy: new iam.PolicyDocument({
        statements: [
          new iam.PolicyStatement({
            sid: "OwnAccountOnly",
            principals: [new iam.AccountRootPrincipal()],
            actions: ["kafka-cluster:Connect"],
            resources: [clusterArn],
          }),
        ],
      }),
    });
  }

  #topics(handler: MillraceFunction, security: SecurityStack): void {
    const wanted = [...environmentTopics(this.config), checkTopic];
    this.cluster.grantAdminister(
      handler,
      wanted.map(({ name }) => name),
    );
    const logGroup = new logs.LogGroup(this, "TopicsProviderLogs", {
      logGroupName: logGroupName(this.config, "function/create-topics-provider"),
      encryptionKey: security.keys.operations,
      retention: this.config.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const provider = new cr.Provider(this, "TopicsProvider", { onEventHandler: handler.function, logGroup });
    acknowledge(provider, { L1: "runtime of the CDK's own provider, updated with the CDK" });
    acknowledgeManagedPolicies(provider, {
      AWSLambdaBasicExecutionRole: "the CDK's own provider: the policy lets it write its log",
    });
    acknowledgeWildcards(provider, {
      ".Arn>:*": "the CDK's own provider invokes any version of the one function that it is made for",
    });
    const resource = new CustomResource(this, "Topics", {
      serviceToken: provider.serviceToken,
      resourceType: "Custom::KafkaTopics",
      properties: { Topics: JSON.stringify(wanted) },
    });
    resource.node.addDependency(handler.role);
  }
}
