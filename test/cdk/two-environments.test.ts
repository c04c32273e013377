import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { resourcesOf, synthesised, type Resource, type Synthesised } from "./synthesised.ts";

// Two environments in one account and region: no name of the one may be in the other, because CloudFormation makes
// nothing under a name that is taken.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-name.html

const LIMIT_MS = 600_000;

/** Names that are unique in what they belong to alone, which is the environment's. */
const ofAParent: Readonly<Record<string, string>> = {
  "AWS::ApiGateway::Authorizer Name": "an API",
  "AWS::ApiGateway::Stage StageName": "an API",
  "AWS::ApiGatewayV2::Authorizer Name": "an API",
  "AWS::ApiGatewayV2::Stage StageName": "an API",
  "AWS::ApplicationAutoScaling::ScalingPolicy PolicyName": "a scalable target",
  "AWS::Athena::NamedQuery Name": "a work group; a query's id is made by Athena",
  "AWS::Cognito::UserPoolClient ClientName": "a user pool",
  "AWS::Cognito::UserPoolGroup GroupName": "a user pool",
  "AWS::Glue::Table Name": "a database",
  "AWS::IAM::Policy PolicyName": "a role",
  "AWS::Logs::LogStream LogStreamName": "a log group",
};
/** Names of what AWS has, and of parts of a resource: nothing is made under them. */
const ofNothing = [
  "AWS::CloudWatch::Alarm MetricName",
  "AWS::EC2::VPCEndpoint ServiceName",
  "AWS::SageMaker::FeatureGroup EventTimeFeatureName",
  "AWS::SageMaker::FeatureGroup RecordIdentifierFeatureName",
];

/** What a resource is named, where its template says so: by type and property. */
function namesOf({ Type, Properties }: Resource): [key: string, name: string][] {
  const inner = { ...(Properties["TableInput"] as object), ...(Properties["DatabaseInput"] as object) };
  const budget = Properties["Budget"] as object | undefined;
  return Object.entries({ ...inner, ...budget, ...Properties })
    .filter(([key, value]) => /(^|[a-z])Name$|^DBClusterIdentifier$|^DBInstanceIdentifier$/.test(key) && named(value))
    .map(([key, value]) => [`${Type} ${key}`, JSON.stringify(value)]);
}

/** Whether a value is a text, or one with account and region in it: references name other resources. */
function named(value: unknown): boolean {
  const text = JSON.stringify(value) ?? "";
  return !/"(Ref|Fn::GetAtt|Fn::ImportValue)":"?(?!AWS::)/.test(text) && text !== '""';
}

describe("dev and staging in one account and region", () => {
  let names: ReadonlyMap<string, ReadonlySet<string>>[];
  let platforms: Synthesised[];
  beforeAll(async () => {
    platforms = [await synthesised("dev"), await synthesised("staging")];
    names = platforms.map((platform) => {
      const types = Object.values(platform.templates).flatMap(({ Resources }) =>
        Object.values(Resources).map(({ Type }) => Type),
      );
      const found = new Map<string, Set<string>>();
      for (const { resource } of resourcesOf(platform, ...new Set(types)))
        for (const [key, name] of namesOf(resource)) found.set(key, (found.get(key) ?? new Set()).add(name));
      return found;
    });
  }, LIMIT_MS);

  test("are what their configs say", () => {
    const [dev, staging] = [environment("dev"), environment("staging")];
    expect([staging.region, staging.account]).toEqual([dev.region, dev.account]);
  });

  test("have no name in common", () => {
    const [dev, staging] = names;
    expect([...dev!.values()].reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(300);
    const shared = [...dev!].flatMap(([key, of]) =>
      [...of].filter((name) => staging!.get(key)?.has(name)).map((name) => `${key}: ${name}`),
    );
    const keys = new Set(shared.map((text) => text.split(": ")[0]!));
    const known = [...Object.keys(ofAParent), ...ofNothing];
    expect(shared.filter((text) => !known.includes(text.split(": ")[0]!))).toEqual([]);
    expect(known.filter((key) => !keys.has(key))).toEqual([]);
  });

  test("have stacks, exports and domains of their own", () => {
    const [dev, staging] = platforms.map((platform) => [
      ...Object.values(platform.stacks).map(({ stackName }) => stackName),
      ...Object.values(platform.templates).flatMap(({ Outputs = {} }) =>
        Object.values(Outputs).flatMap(({ Export }) => (Export === undefined ? [] : [JSON.stringify(Export.Name)])),
      ),
      ...resourcesOf(platform, "AWS::Cognito::UserPoolDomain").map(({ resource }) =>
        JSON.stringify(resource.Properties["Domain"]),
      ),
    ]);
    expect(dev!.length).toBeGreaterThan(30);
    expect(dev!.filter((name) => staging!.includes(name))).toEqual([]);
  });
});
