import { type aws_ec2 as ec2, aws_ecs as ecs, type aws_iam as iam, type aws_logs as logs, Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { ContainerTask, type ContainerTaskProps } from "./container-task.ts";

/** Fargate's longest. */
const STOP_TIMEOUT = Duration.seconds(120);

export interface ContainerServiceProps extends Omit<ContainerTaskProps, "container" | "logMode"> {
  readonly serviceName: string;
  readonly cluster: ecs.ICluster;
  /**
   * Number of tasks.
   *
   * @default - left out, because something scales the service: a deployment would set the number back each time
   */
  readonly desiredCount?: number;
  readonly subnets: ec2.SubnetSelection;
  readonly securityGroup: ec2.ISecurityGroup;
  /**
   * For services in public subnets: they reach the internet only with an address.
   *
   * @default false
   */
  readonly assignPublicIp?: boolean;
  /**
   * `rolling`: new tasks start before old ones stop. `restart`: the old task stops first, for a program whose identity
   * only one task may have at a time.
   *
   * @default "rolling"
   */
  readonly deployment?: "rolling" | "restart";
  /** Port on which the program answers `GET /health` with 200 while it works. Nothing but its own task reaches it. */
  readonly healthPort: number;
  /**
   * How long a task may take to end when it is asked to. Fargate's longest is 120 s.
   *
   * @default 120 s
   */
  readonly stopTimeout?: Duration;
}

/**
 * A program with Node.js on Fargate that runs all the time: a `ContainerTask` that is health-checked, whose deployment
 * is rolled back if it fails. It drops log lines rather than wait for its log.
 */
export class ContainerService extends Construct implements iam.IGrantable {
  readonly service: ecs.FargateService;
  readonly taskRole: iam.Role;
  readonly log: logs.ILogGroup;

  constructor(scope: Construct, id: string, props: ContainerServiceProps) {
    super(scope, id);
    // An id that leaves no trace in logical ids: the names of service, family and log can't be made anew.
    const { task, taskRole, log } = new ContainerTask(this, "Default", {
      ...props,
      logMode: ecs.AwsLogDriverMode.NON_BLOCKING,
      container: { stopTimeout: props.stopTimeout ?? STOP_TIMEOUT, healthCheck: healthCheck(props.healthPort) },
    });
    this.taskRole = taskRole;
    this.log = log;
    this.service = new ecs.FargateService(this, "Service", {
      serviceName: props.serviceName,
      cluster: props.cluster,
      taskDefinition: task,
      ...(props.desiredCount === undefined ? {} : { desiredCount: props.desiredCount }),
      circuitBreaker: { enable: true, rollback: true },
      ...(props.deployment === "restart"
        ? { minHealthyPercent: 0, maxHealthyPercent: 100 }
        : { minHealthyPercent: 100, maxHealthyPercent: 200 }),
      vpcSubnets: props.subnets,
      securityGroups: [props.securityGroup],
      assignPublicIp: props.assignPublicIp ?? false,
      enableECSManagedTags: true,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
      platformVersion: ecs.FargatePlatformVersion.VERSION1_4,
    });
  }

  get grantPrincipal(): iam.IPrincipal {
    return this.taskRole;
  }
}

function healthCheck(port: number): ecs.HealthCheck {
  return {
    command: [
      "CMD",
      "node",
      "-e",
      `fetch("http://127.0.0.1:${port}/health")` +
        ".then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))",
    ],
    interval: Duration.seconds(15),
    timeout: Duration.seconds(5),
    retries: 3,
    startPeriod: Duration.seconds(120),
  };
}
