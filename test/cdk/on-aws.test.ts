import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { OPS_CONTAINER, operatorCommands, programOf } from "../../config/operator-commands.ts";
import { parseOnAwsArguments } from "../../lib/on-aws/arguments.ts";
import { environments, resourcesOf, root, synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;
const parse = (line: string) =>
  parseOnAwsArguments(
    line.split(" ").filter((word) => word !== ""),
    ["dev", "prod"],
  );

test.each(operatorCommands)("%s is a command of the processor, and a script of package.json", (command) => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  expect(scripts[command]).toBe(`exec node local/bootstrap.mjs ${programOf(command)}/main.ts`);
  expect(existsSync(join(root, programOf(command), "main.ts"))).toBe(true);
});

test("what stands before the command is ours, what stands behind it is the command's", () => {
  expect(parse("--env dev dump --topic x --env prod")).toEqual({
    env: "dev",
    pipeline: "sensor",
    limitMs: 3_600_000,
    command: "dump",
    args: ["--topic", "x", "--env", "prod"],
  });
  expect(parse("--env=prod --pipeline market --minutes 5 recover")).toEqual({
    env: "prod",
    pipeline: "market",
    limitMs: 300_000,
    command: "recover",
    args: [],
  });
});

test.each([
  ["", "--env is missing\na command is missing"],
  ["--env dev", "a command is missing"],
  ["--env here dump", '--env is "here"; expected is one of dev, prod'],
  ["--env dev chaos", '"chaos" is no command that runs on AWS'],
  ["--env dev restore-drill", '"restore-drill" is no command that runs on AWS: it runs a platform of its own'],
  ["--env dev --minutes 0 dump", '--minutes is "0"; a whole number from 1 to 1440 is expected'],
  ["--env", "--env lacks its value"],
])("%j is refused", (line, problem) => {
  expect(() => parse(line)).toThrow(problem);
});

describe.each(environments)("the task of operators' commands in %s", (env) => {
  let task: Readonly<Record<string, unknown>>;
  beforeAll(async () => {
    const platform = await synthesised(env);
    const found = resourcesOf(platform, "AWS::ECS::TaskDefinition").filter(({ stack }) => stack === "operations");
    expect(found).toHaveLength(1);
    task = found[0]!.resource.Properties;
  }, LIMIT_MS);

  test("is the processor's image, not root, with a file system that can't be written but for /tmp", () => {
    expect(task).toMatchObject({
      Family: `millrace-${env}-ops`,
      RequiresCompatibilities: ["FARGATE"],
      RuntimePlatform: { CpuArchitecture: "ARM64" },
      Volumes: [{ Name: "tmp" }],
      ContainerDefinitions: [
        {
          Name: OPS_CONTAINER,
          ReadonlyRootFilesystem: true,
          User: "1000:1000",
          MountPoints: [{ ContainerPath: "/tmp", ReadOnly: false }],
          LogConfiguration: { LogDriver: "awslogs", Options: { "awslogs-stream-prefix": "ops", mode: "blocking" } },
        },
      ],
    });
    const [container] = task["ContainerDefinitions"] as [{ HealthCheck?: unknown; Environment: { Name: string }[] }];
    expect(container.HealthCheck).toBeUndefined();
    expect(container.Environment.map(({ Name }) => Name)).toEqual(
      expect.arrayContaining([
        ...["KAFKA_BROKERS", "KAFKA_AUTH", "CHECKPOINT_TABLE", "MODEL_SOURCE", "PIPELINE"],
        ...["MONGODB_URI", "MONGODB_SECRET_ARN", "MONGODB_CA_FILE"],
      ]),
    );
  });

  test("has room for a copy of the lake's log, and for the state of all partitions", () => {
    expect(task).toMatchObject({ Cpu: "1024", Memory: "8192", EphemeralStorage: { SizeInGiB: 200 } });
  });

  test("knows how long Firehose keeps a row, and may write lake and offline store, for erase", async () => {
    const statements = resourcesOf(await synthesised(env), "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
      .filter(({ stack }) => stack === "operations")
      .flatMap(({ resource }) => (resource.Properties["PolicyDocument"] as { Statement: object[] }).Statement)
      .map((statement) => JSON.stringify(statement));
    expect(statements.join("")).toContain("secretsmanager:GetSecretValue");
    const actionsOn = (resource: string): string => statements.filter((one) => one.includes(resource)).join("");
    expect(actionsOn("/tables/*")).toContain('["s3:DeleteObject","s3:GetObject","s3:PutObject"]');
    expect(actionsOn("/features/*")).toContain("s3:PutObject");
    // https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-delete.html
    expect(actionsOn("table/sagemaker_featurestore")).toContain("glue:UpdateTable");
    expect(actionsOn(":feature-group/")).toContain("sagemaker:DeleteRecord");
    expect(statements.filter((one) => one.includes("s3:DeleteObject"))).toHaveLength(1);
    const [container] = task["ContainerDefinitions"] as [{ Environment: { Name: string; Value: string }[] }];
    const buffer = container.Environment.find(({ Name }) => Name === "LAKE_BUFFER_MS")!;
    expect(Number(buffer.Value)).toBe((environment(env).lake.bufferSeconds + 60) * 1_000);
  });

  test("joins the lake's small files each hour, by a role that may start this task alone", async () => {
    const platform = await synthesised(env);
    const [rule] = resourcesOf(platform, "AWS::Events::Rule").filter(({ stack }) => stack === "operations");
    // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
    expect(rule!.resource.Properties["ScheduleExpression"]).toBe("cron(40 * * * ? *)");
    const [target] = rule!.resource.Properties["Targets"] as [
      { Input: unknown; EcsParameters: object; RoleArn: object },
    ];
    const input = JSON.stringify(target.Input).replaceAll("\\", "");
    expect(input).toContain(`"name":"${OPS_CONTAINER}","command":["--lake","s3://`);
    expect(input).toContain('/tables"],"environment":[{"name":"PROGRAM","value":"processor/commands/compact"}]');
    expect(target.EcsParameters).toMatchObject({
      LaunchType: "FARGATE",
      TaskDefinitionArn: { Ref: expect.anything() },
    });
    const role = (target.RoleArn as { "Fn::GetAtt": [string] })["Fn::GetAtt"][0];
    const statements = resourcesOf(platform, "AWS::IAM::Policy")
      .filter(
        ({ stack, resource }) => stack === "operations" && JSON.stringify(resource.Properties["Roles"]).includes(role),
      )
      .flatMap(
        ({ resource }) => (resource.Properties["PolicyDocument"] as { Statement: { Action: string }[] }).Statement,
      );
    expect(statements.map(({ Action }) => Action)).toEqual(["ecs:RunTask", "iam:PassRole"]);
    expect(JSON.stringify(statements)).not.toContain("*");
  });
});
