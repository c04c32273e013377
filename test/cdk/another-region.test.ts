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
