import type { ECSClient, RunTaskCommand } from "@aws-sdk/client-ecs";
import { expect, test } from "@jest/globals";
import { startCommand, type TaskPlace } from "../../lambda/start-command/task.ts";

const place: TaskPlace = {
  cluster: "millrace-dev-cluster",
  family: "millrace-dev-ops",
  subnets: ["subnet-a", "subnet-b"],
  securityGroup: "sg-processor",
  publicAddress: true,
};
const answering = (answer: object | Error): Pick<ECSClient, "send"> =>
  ({ send: () => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)) }) as never;
const start = (ecs: Pick<ECSClient, "send">): Promise<string> =>
  startCommand(ecs, place, "model", ["promote", "activity", "1.0.0"], "key-00001");

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
test("a command is a task of the operators' family, once for its key", async () => {
  const sent: RunTaskCommand["input"][] = [];
  const ecs = {
    send: (command: RunTaskCommand) => {
      sent.push(command.input);
      return Promise.resolve({ tasks: [{ taskArn: "arn:task/1" }] });
    },
  } as never;
  expect(await start(ecs)).toBe("arn:task/1");
  expect(sent).toEqual([
    expect.objectContaining({
      cluster: "millrace-dev-cluster",
      taskDefinition: "millrace-dev-ops",
      clientToken: "key-00001",
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: ["subnet-a", "subnet-b"],
          securityGroups: ["sg-processor"],
          assignPublicIp: "ENABLED",
        },
      },
      overrides: {
        containerOverrides: [
          {
            name: "processor",
            command: ["promote", "activity", "1.0.0"],
            environment: [{ name: "PROGRAM", value: "processor/commands/model" }],
          },
        ],
      },
    }),
  ]);
});

test("why ECS starts nothing is told", async () => {
  await expect(start(answering({ tasks: [], failures: [{ reason: "RESOURCE:CPU" }] }))).rejects.toMatchObject({
    code: "on-aws-failed",
    message: "ECS started no task in millrace-dev-cluster: RESOURCE:CPU",
  });
  const conflict = Object.assign(new Error("token"), { name: "ConflictException" });
  await expect(start(answering(conflict))).rejects.toThrow("the key key-00001 was used for another command");
  await expect(start(answering(new Error("socket hang up")))).rejects.toThrow("socket hang up");
});
