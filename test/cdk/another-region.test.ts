import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { pythonTools } from "./python.ts";
import { resourcesOf, root, synthesised, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 600_000;
const REGION = "eu-central-1";
const tools = pythonTools();

describe("staging in another region", () => {
  let platform: Synthesised;
  beforeAll(async () => {
    platform = await synthesised("staging-elsewhere");
  }, LIMIT_MS);

  test("has its subnets in the zones of that region, by their ids", () => {
    // https://docs.aws.amazon.com/global-infrastructure/latest/regions/az-ids.html
    const subnets = resourcesOf(platform, "AWS::EC2::Subnet").map(({ resource }) => resource.Properties);
    expect([...new Set(subnets.map((subnet) => subnet["AvailabilityZoneId"]))]).toEqual([
      "euc1-az1",
      "euc1-az2",
      "euc1-az3",
    ]);
    expect(subnets.map((subnet) => subnet["AvailabilityZone"])).toEqual(subnets.map(() => undefined));
  });

  test("names no other region, but where CloudFront's certificates and AWS's own applications are", () => {
    // https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html and
    // https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_available-rotation-templates.html
    const texts = Object.values(platform.templates).map((template) => JSON.stringify(template));
    const regions = texts.flatMap(
      (text) => text.match(/(arn:aws:(acm|serverlessrepo):)?\b(us|eu|ap|sa|ca)-[a-z]+-\d\b/g) ?? [],
    );
    expect(regions.length).toBeGreaterThan(10);
    expect([...new Set(regions)].toSorted()).toEqual([
      "arn:aws:acm:us-east-1",
      "arn:aws:serverlessrepo:us-east-1",
      REGION,
    ]);
  });

  // https://docs.aws.amazon.com/firehose/latest/dev/limits.html: a quota of each stream; of an account they are many.
  test("spreads a table's rows over the streams of the config, each with a log, rights and alarms of its own", () => {
    const names = ["raw", "raw-2", "raw-3"].map((name) => `millrace-staging-${name}`);
    const streams = resourcesOf(platform, "AWS::KinesisFirehose::DeliveryStream").filter(({ resource }) =>
      /-raw(-\d)?$/.test(String(resource.Properties["DeliveryStreamName"])),
    );
    expect(streams.map(({ resource }) => resource.Properties["DeliveryStreamName"])).toEqual(names);
    const destinations = streams.map(
      ({ resource }) => resource.Properties["ExtendedS3DestinationConfiguration"] as Record<string, unknown>,
    );
    expect(new Set(destinations.map(({ Prefix }) => Prefix)).size).toBe(1);
    const logs = resourcesOf(platform, "AWS::Logs::LogGroup").map(
      ({ resource }) => resource.Properties["LogGroupName"],
    );
    expect(logs).toEqual(
      expect.arrayContaining(["raw", "raw-2", "raw-3"].map((of) => `/millrace/staging/delivery/${of}`)),
    );
    const [writer] = resourcesOf(platform, "AWS::Lambda::Function").filter(
      ({ resource }) => resource.Properties["FunctionName"] === "millrace-staging-write-lake",
    );
    const { Variables } = writer!.resource.Properties["Environment"] as { Variables: Record<string, string> };
    expect(Variables["LAKE_STREAMS"]).toBe("raw=3,aggregated=1");
    const rights = resourcesOf(platform, "AWS::IAM::Policy").filter(({ stack }) => stack === "delivery");
    for (const { id } of streams) expect(JSON.stringify(rights)).toContain(`ExportsOutputFnGetAtt${id}Arn`);
    const alarms = resourcesOf(platform, "AWS::CloudWatch::Alarm").map(({ resource }) => JSON.stringify(resource));
    for (const name of names) expect(alarms.filter((text) => text.includes(`"${name}"`)).length).toBeGreaterThan(1);
  });

  (tools === undefined ? test.skip : test)(
    "has only what CloudFormation has there, as cfn-lint's schemas of the region say",
    () => {
      const run = spawnSync(
        join(tools ?? "", "python"),
        [
          "-c",
          "import sys; from cfnlint.runner import main; sys.exit(main())",
          ...["--config-file", join(root, ".cfnlintrc.yaml"), "--regions", REGION, "--template"],
          ...Object.keys(platform.templates).map((id) => join(platform.folder, `${id}.template.json`)),
        ],
        { encoding: "utf8" },
      );
      expect([run.stdout + run.stderr, run.status]).toEqual(["", 0]);
    },
    LIMIT_MS,
  );
});
