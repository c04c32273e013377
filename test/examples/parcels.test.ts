import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { pythonTools } from "../cdk/python.ts";
import { type Resource, root, type Template, withoutAws } from "../cdk/synthesised.ts";

const LIMIT_MS = 300_000;
const folder = mkdtempSync(join(tmpdir(), "millrace-parcels-"));
const file = join(folder, "parcels.template.json");
let template: Template;

beforeAll(() => {
  const run = spawnSync(process.execPath, ["--no-warnings", "examples/parcels/main.ts"], {
    cwd: root,
    encoding: "utf8",
    env: { ...withoutAws(), CDK_OUTDIR: folder },
  });
  if (run.status !== 0) throw new Error(`the synth of the example failed:\n${run.stderr}`);
  template = JSON.parse(readFileSync(file, "utf8")) as Template;
}, LIMIT_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const only = (type: string): Resource["Properties"] => {
  const found = Object.values(template.Resources).filter(({ Type }) => Type === type);
  expect(found.length).toBe(1);
  return found[0]!.Properties;
};

test("an example of forty lines uses three constructs, and has nothing of Millrace's config", () => {
  const code = readFileSync(join(root, "examples/parcels/main.ts"), "utf8");
  expect(code.match(/^new |= new [A-Z]\w+\(stack/gm)?.length).toBe(3);
  expect(code.split("\n").length).toBeLessThanOrEqual(50);
  expect(JSON.stringify(template)).not.toMatch(/millrace/i);
});

test("its fleet publishes to the topic that it is given and reads none", () => {
  const policies = Object.values(template.Resources).filter(({ Type }) => Type === "AWS::IoT::Policy");
  const device = policies.find(({ Properties }) => Properties["PolicyName"] === "parcels-sensor");
  const { Statement } = device!.Properties["PolicyDocument"] as {
    Statement: { Action: string[]; Resource: unknown }[];
  };
  expect(Statement.map(({ Action }) => Action)).toEqual([["iot:Connect"], ["iot:Publish"]]);
  expect(JSON.stringify(Statement[1])).toContain("topic/parcels/weights/${iot:ClientId}");
  expect(only("AWS::IoT::ProvisioningTemplate")["TemplateName"]).toBe("parcels-sensor");
});

test("what is left out has the value that its @default names", () => {
  expect(only("AWS::Logs::LogGroup")["RetentionInDays"]).toBe(30);
  expect(only("AWS::Lambda::Function")).not.toHaveProperty("ReservedConcurrentExecutions");
  expect(only("AWS::Lambda::Function")).not.toHaveProperty("VpcConfig");
  expect(only("AWS::Events::Archive")).not.toHaveProperty("RetentionDays");
  const queues = Object.values(template.Resources).filter(({ Type }) => Type === "AWS::SQS::Queue");
  expect(queues.map(({ Properties }) => Properties["QueueName"])).toEqual([
    "parcels-orders-failures",
    "parcels-orders",
  ]);
  expect(queues[1]?.Properties["RedrivePolicy"]).toMatchObject({ maxReceiveCount: 20 });
  expect(queues.map(({ DeletionPolicy }) => DeletionPolicy)).toEqual(["Delete", "Retain"]);
  const [failures, events] = queues.map(({ Properties }) => Properties["KmsMasterKeyId"]);
  expect(failures).toEqual(events);
});

const tools = pythonTools();
(tools === undefined ? test.skip : test)(
  "cfn-lint finds nothing in its template",
  () => {
    const lint = "import sys; from cfnlint.runner import main; sys.exit(main())";
    const config = ["--config-file", join(root, ".cfnlintrc.yaml"), "--regions", "us-east-1"];
    const run = spawnSync(join(tools ?? "", "python"), ["-c", lint, ...config, "--template", file], {
      encoding: "utf8",
    });
    expect(run.stdout + run.stderr).toBe("");
  },
  LIMIT_MS,
);
