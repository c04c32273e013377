import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { cidrsOverlap } from "../../config/cidr.ts";
import { environment, environmentNames } from "../../config/environments/index.ts";
import prod from "../../config/environments/prod.ts";
import { runningPipelines } from "../../config/pipelines.ts";
import { readEnvironment } from "../../config/read-environment.ts";
import { clashes } from "../../config/rules/shared-account.ts";
import { environmentTopics } from "../../config/topics.ts";
import { DAY } from "../../domain/time.ts";
import { environments, withoutAws, root } from "./synthesised.ts";

function problemsOf(config: unknown): string {
  try {
    readEnvironment(config);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("an environment's config", () => {
  test("each file is an environment that can be deployed, and is synthesised by the tests", () => {
    const files = readdirSync(join(root, "config", "environments")).filter((name) => name !== "index.ts");
    expect(files.map((name) => name.replace(/\.ts$/, "")).sort()).toEqual(environmentNames.toSorted());
    expect([...environments].sort()).toEqual(environmentNames.toSorted());
  });

  test.each(environmentNames)("%s is valid", (name) => {
    expect(environment(name).name).toBe(name);
  });

  test("is refused with every problem at once: malformed fields, unknown keys and contradictions", () => {
    const message = problemsOf({
      ...prod,
      nmae: "prod",
      network: { ...prod.network, peerCidrs: ["10.40.128.0/20"], natGatways: 1, natGateways: 2 },
      kafka: { partitions: {}, retentionMs: { imuData: 200_000 } },
      processor: {
        ...prod.processor,
        sensor: { minTasks: 1, maxTasks: 11 },
        forex: { minTasks: 1, maxTasks: 2 },
        comitIntervalMs: 50,
      },
      api: { ...prod.api, domain: { name: "api.example.com" } },
      zones: ["use1-az4", "euw1-az1"],
    });
    expect(message).toContain("- nmae: there is no such setting");
    expect(message).toContain("network.natGatways: there is no such setting");
    expect(message).toContain("processor.comitIntervalMs: there is no such setting");
    expect(message).toContain("processor.forex: there is no pipeline forex; there is: sensor, market");
    expect(message).toContain("10.40.0.0/16 overlaps the peer network 10.40.128.0/20");
    expect(message).toContain("kafka.retentionMs.imuData: 200000 ms, not above the allowed lateness (300000 ms)");
    expect(message).toContain("processor.sensor.maxTasks: 11, more than the 10 partitions of imu-data-all");
    expect(message).toContain("api.domain.certificateArn");
    expect(message).toContain("euw1-az1 is not a zone of us-east-1");
    expect(message).toMatch(/has 9 problem/);
  });

  test("is refused with every problem of who issues its tokens", () => {
    const auth = (value: object): string => problemsOf({ ...prod, api: { ...prod.api, auth: value } });
    const own = auth({ issuer: "http://login.example.com", audience: "", clientID: "page" });
    for (const path of ["issuer", "audience", "jwksUri"]) expect(own).toContain(`- api.auth.${path}: `);
    expect(own).toContain("- api.auth.clientID: there is no such setting");
    expect(own).toMatch(/has 4 problem/);
    expect(auth({ cognito: true, issuer: "https://login.example.com" })).toBe(
      "the environment's config has 1 problem(s):\n  - api.auth.issuer: there is no such setting",
    );
    expect(auth({ cognito: "yes" })).toContain("- api.auth.cognito: ");
  });

  test("may name an issuer as before there was sign-in on the page", () => {
    const { issuer, audience, jwksUri } = prod.api.auth;
    const { api } = readEnvironment({ ...prod, api: { ...prod.api, auth: { issuer, audience, jwksUri } } });
    expect(api.auth).toMatchObject({ clientId: null, groupsClaim: "groups", operatorsGroup: "operators" });
  });

  test.each([null, { minTasks: 1, maxTasks: 2 }])(
    "is refused when it asks for a pipeline that is not there: %j",
    (forex) => {
      expect(problemsOf({ ...prod, processor: { ...prod.processor, forex } })).toBe(
        "the environment's config has 1 problem(s):\n" +
          "  - processor.forex: there is no pipeline forex; there is: sensor, market",
      );
    },
  );

  test("runs a pipeline that has an entry, and is refused when none has", () => {
    const { sensor: size, ...others } = prod.processor;
    const running = (entry: object): string[] =>
      runningPipelines(readEnvironment({ ...prod, processor: { ...others, ...entry } })).map(({ name }) => name);
    expect(running({ sensor: size })).toEqual(["sensor"]);
    expect(running({ sensor: size, market: { minTasks: 1, maxTasks: 2 } })).toEqual(["sensor", "market"]);
    for (const none of [{ sensor: null }, {}]) {
      expect(() => running(none)).toThrow("processor: no pipeline runs; give an entry to one of: sensor, market");
    }
  });

  test("gives outputs the partitions of their input, and shared topics those of the widest input", () => {
    const kafka = { partitions: { imuData: 20, deadLetter: 3, trades: 4 }, retentionMs: { late: 5 * DAY } };
    const { processor } = readEnvironment({
      ...prod,
      processor: { ...prod.processor, market: { minTasks: 1, maxTasks: 2 } },
    });
    const made = new Map(environmentTopics({ kafka, processor }).map((topic) => [topic.name, topic]));
    const partitions = (name: string): number | undefined => made.get(name)?.partitions;
    expect(["imu-data-all", "sensor-data-transformed", "sensor-data-late"].map(partitions)).toEqual([20, 20, 20]);
    expect(["dead-letter", "millrace-progress"].map(partitions)).toEqual([20, 20]);
    expect(["market-trades", "market-enriched", "market-late"].map(partitions)).toEqual([4, 4, 4]);
    expect(made.get("sensor-data-late")?.retentionMs).toBe(432_000_000);
    expect(made.get("millrace-progress")?.retentionMs).toBe(-1);
  });

  test("has the market's topics where the market runs, and those of the sensors always", () => {
    const { sensor, ...others } = prod.processor;
    const size = { minTasks: 1, maxTasks: 2 };
    const names = (entry: object): string[] =>
      environmentTopics(readEnvironment({ ...prod, processor: { ...others, ...entry } })).map(({ name }) => name);
    const always = [
      ...["imu-data-all", "sensor-data-transformed", "sensor-data-aggregated", "sensor-data-late"],
      ...["new-session-topic", "sensor-inference", "dead-letter", "millrace-progress", "millrace-changes"],
    ];
    const market = ["trades", "enriched", "aggregated", "positions", "alerts", "late"].map((name) => `market-${name}`);
    expect(names({ sensor }).toSorted()).toEqual(always.toSorted());
    expect(names({ sensor, market: size }).toSorted()).toEqual([...always, ...market].toSorted());
    expect(names({ sensor: null, market: size }).toSorted()).toEqual([...always, ...market].toSorted());
    // The shared topics are as wide as the widest input that is there.
    const wide = { ...prod.kafka, partitions: { imuData: 20, trades: 30 } };
    const progress = (entry: object): number | undefined =>
      environmentTopics({
        kafka: wide,
        processor: readEnvironment({ ...prod, processor: { ...others, ...entry } }).processor,
      }).find(({ name }) => name === "millrace-progress")?.partitions;
    expect(progress({ sensor })).toBe(20);
    expect(progress({ sensor, market: size })).toBe(30);
  });

  test.each([
    [
      "made-up trades where no market runs",
      { retainData: false, market: { generateTrades: true } },
      "market.generateTrades: true, but the market does not run",
    ],
    [
      "settings of a market that does not run",
      { market: { archiveDays: 90 } },
      "market: there are settings, but the market does not run",
    ],
    [
      "topics of a market that does not run",
      { kafka: { ...prod.kafka, partitions: { imuData: 20, trades: 5 } } },
      "kafka.partitions.trades: the pipeline of market-trades does not run",
    ],
    // https://docs.aws.amazon.com/msk/latest/developerguide/limits.html#serverless-quota: 2,400 partitions, 120 of them
    // compacted. Progress has those of the input, and the changes one.
    [
      "more compacted partitions than the cluster takes",
      { kafka: { ...prod.kafka, partitions: { imuData: 120 } } },
      "cleanup.policy compact would have 121 partitions in all, and an MSK Serverless cluster takes 120",
    ],
    // The input, its five outputs and the dead letters: 7 × 343, and one of the deployment's check.
    [
      "more partitions than the cluster takes",
      { kafka: { ...prod.kafka, partitions: { imuData: 343 } } },
      "cleanup.policy delete would have 2402 partitions in all, and an MSK Serverless cluster takes 2400",
    ],
    [
      "fewer tasks of live at most than at least",
      { live: { minTasks: 4, maxTasks: 3 } },
      "live.minTasks: 4, more than maxTasks (3)",
    ],
    [
      "made-up trades where data is kept",
      {
        market: { generateTrades: true },
        processor: { ...prod.processor, market: { minTasks: 1, maxTasks: 2 } },
      },
      "must not make up trades",
    ],
    [
      "a certificate of another region",
      {
        api: {
          ...prod.api,
          domain: { name: "api.example.com", certificateArn: "arn:aws:acm:eu-west-1:111122223333:certificate/a" },
        },
      },
      "api.domain.certificateArn",
    ],
    [
      "a CloudFront certificate outside of us-east-1",
      {
        web: {
          ...prod.web,
          domain: { name: "www.example.com", certificateArn: "arn:aws:acm:eu-west-1:111122223333:certificate/a" },
        },
      },
      "web.domain.certificateArn",
    ],
    ["an open API where data is kept", { api: { ...prod.api, auth: null } }, "must not have an open API"],
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html
    [
      "an API that the page can't read",
      { api: { ...prod.api, corsOrigins: ["https://other.example.com"] } },
      "the page is at https://millrace.example.com and could not read the API",
    ],
    [
      "an API for some origins, where the page's is not known",
      { web: { ...prod.web, domain: null } },
      "api.corsOrigins: the page has no domain of its own",
    ],
    ["any origin where data is kept", { api: { ...prod.api, corsOrigins: ["*"] } }, "must name its origins"],
    [
      "a future guard as long as the lateness",
      { processor: { ...prod.processor, semantics: { futureGuardMs: 300_000 } } },
      "futureGuardMs is 300000",
    ],
    [
      "partitions of an output",
      { kafka: { ...prod.kafka, partitions: { aggregated: 5 } } },
      "kafka.partitions.aggregated",
    ],
    ["more NAT gateways than zones", { network: { ...prod.network, natGateways: 4 } }, "more than the 3 zones"],
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html: 90 days at least are billed.
    [
      "a lake that expires less than 90 days after it is archived",
      { lake: { ...prod.lake, glacierAfterDays: 30, expireAfterDays: 119 } },
      "lake.expireAfterDays: 119, less than 90 days after glacierAfterDays (30)",
    ],
    [
      "delivery streams of a market that does not run",
      { lake: { ...prod.lake, streams: { raw: 2, market_raw: 2 } } },
      "lake.streams.market_raw: the pipeline of this table does not run",
    ],
    ["delivery streams of a table that is none", { lake: { ...prod.lake, streams: { row: 2 } } }, "lake.streams"],
    // https://docs.aws.amazon.com/global-infrastructure/latest/regions/az-ids.html
    [
      "names of zones",
      { zones: ["us-east-1a", "us-east-1b"] },
      "zones[0]: expected the id of a zone, such as use1-az4",
    ],
    [
      "a database whose least capacity is above its most",
      { documents: { ...prod.documents, minCapacity: 64 } },
      "documents.minCapacity",
    ],
    [
      "fewer tasks at most than at least",
      { processor: { ...prod.processor, sensor: { minTasks: 5, maxTasks: 2 } } },
      "processor.sensor.minTasks",
    ],
  ])("refuses %s", (_what, change, problem) => {
    expect(problemsOf({ ...prod, ...change })).toContain(problem);
  });

  // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
  // "Update requires: Replacement" have AWS::MSK::ServerlessCluster's VpcConfigs and ClusterName, AWS::EC2::VPC's
  // CidrBlock and AWS::EC2::Subnet's AvailabilityZoneId.
  test.each([
    ["name", { name: "prod2" }, "name: prod2, deployed is prod: "],
    [
      "zones",
      { zones: ["use1-az1", "use1-az4", "use1-az6"] },
      "zones: use1-az1,use1-az4,use1-az6, deployed is use1-az2,use1-az4,use1-az6: subnets would be replaced",
    ],
    [
      "the order of zones",
      { zones: ["use1-az4", "use1-az2", "use1-az6"] },
      "zones: use1-az4,use1-az2,use1-az6, deployed is use1-az2,use1-az4,use1-az6: subnets would be replaced",
    ],
    [
      "CIDR",
      { network: { ...prod.network, cidr: "10.50.0.0/16" } },
      "network.cidr: 10.50.0.0/16, deployed is 10.40.0.0/16: the VPC would be replaced",
    ],
    [
      "region",
      { region: "us-west-2", zones: ["usw2-az1", "usw2-az2", "usw2-az3"], lake: { ...prod.lake, replica: null } },
      "region: us-west-2, deployed is us-east-1: ",
    ],
    ["MQTT prefix", { mqttPrefix: "prod-2" }, "mqttPrefix: prod-2, deployed is prod: devices in the field publish"],
  ])("refuses another %s once it is deployed, with the way to change it", (_what, change, problem) => {
    const { name, region, zones, network, mqttPrefix } = prod;
    const deployed = { name, region, zones, cidr: network.cidr, mqttPrefix };
    expect(problemsOf({ ...prod, deployed })).toBe("");
    expect(problemsOf({ ...prod, ...change })).toBe("");
    const message = problemsOf({ ...prod, deployed, ...change });
    expect(message).toContain(problem);
    expect(message).toContain("move to a new environment (docs/deployment.md#what-cannot-be-changed)");
  });

  test.each([
    ["us-east-1", "use1"],
    ["eu-central-1", "euc1"],
    ["ap-southeast-2", "apse2"],
    ["ap-northeast-1", "apne1"],
    ["us-gov-west-1", "usgw1"],
    ["il-central-1", "ilc1"],
  ])("takes the zones of %s by their ids, which begin with %s", (region, prefix) => {
    const lake = { ...prod.lake, replica: null };
    const [one, two] = [`${prefix}-az1`, `${prefix}-az2`];
    expect(problemsOf({ ...prod, lake, region, zones: [one, two], network: { ...prod.network, natGateways: 2 } })).toBe(
      "",
    );
    expect(problemsOf({ ...prod, lake, region, zones: [one, "usw9-az1"] })).toContain("usw9-az1 is not a zone of");
  });

  describe("beside another environment", () => {
    const one = readEnvironment({ ...prod, name: "one", mqttPrefix: "one", account: "111122223333" });
    const two = (change: object): ReturnType<typeof readEnvironment> =>
      readEnvironment({ ...prod, name: "two", mqttPrefix: "two", account: "111122223333", ...change });

    test("of its account and region differs from it in the MQTT prefix, and owns no account settings with it", () => {
      expect(clashes(one, [one, two({ ownsAccountSettings: false })])).toEqual([]);
      expect(clashes(one, [two({ ownsAccountSettings: true })])).toEqual([
        expect.stringMatching(/^ownsAccountSettings: true, and two is in the same region and account/),
      ]);
      expect(clashes(one, [two({ ownsAccountSettings: false, mqttPrefix: "one" })])).toEqual([
        expect.stringMatching(/^mqttPrefix: one, and two is in the same region and account/),
      ]);
      const bare = { ownsAccountSettings: false, mqttPrefix: null };
      expect(clashes(two(bare), [two({ ...bare, name: "three" })]).length).toBe(1);
    });

    test("that names no account either is held to it, too", () => {
      expect(clashes({ ...one, account: undefined }, [two({ account: undefined })]).length).toBe(1);
    });

    test("that names an account is in the way of one that names none and is deployed there", () => {
      const nameless = { ...one, account: undefined };
      expect(clashes(nameless, [two({})], "111122223333")).toEqual([
        expect.stringMatching(/^ownsAccountSettings: true, and two is in the same region and account \(111122223333\)/),
      ]);
      expect(clashes(nameless, [two({})], "999988887777")).toEqual([]);
      // The app is told the account of the credentials: https://docs.aws.amazon.com/cdk/v2/guide/environments.html
      const result = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", "bin/app.ts"], {
        cwd: root,
        encoding: "utf8",
        env: { ...withoutAws(), CDK_CONTEXT_JSON: '{"env":"dev"}', CDK_DEFAULT_ACCOUNT: prod.account },
      });
      expect(result.status).toBe(1);
      expect(result.stderr).toContain("ownsAccountSettings: true, and prod is in the same region and account");
    });

    test("of another account or region is free", () => {
      expect(clashes(one, [two({ account: "999988887777", mqttPrefix: "one" })])).toEqual([]);
      const elsewhere = { region: "eu-west-1", zones: ["euw1-az1", "euw1-az2", "euw1-az3"] };
      const lake = { ...prod.lake, replica: null };
      expect(clashes(one, [two({ ...elsewhere, lake, mqttPrefix: "one" })])).toEqual([]);
    });
  });

  test("may ask for as many partitions as the cluster takes", () => {
    expect(problemsOf({ ...prod, kafka: { ...prod.kafka, partitions: { imuData: 119 } } })).toBe("");
  });

  test("CIDR blocks overlap when one begins inside the other", () => {
    expect(cidrsOverlap("10.0.0.0/16", "10.0.255.0/24")).toBe(true);
    expect(cidrsOverlap("10.0.0.0/24", "10.0.1.0/24")).toBe(false);
    expect(cidrsOverlap("192.168.0.0/16", "192.168.0.0/28")).toBe(true);
    expect(cidrsOverlap("172.16.0.0/17", "172.16.128.0/17")).toBe(false);
  });

  test("that is not there ends the synth with exit code 1 and the reason on standard error", () => {
    const result = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", "bin/app.ts"], {
      cwd: root,
      encoding: "utf8",
      env: { ...withoutAws(), CDK_CONTEXT_JSON: '{"env":"pord"}' },
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('there is no environment "pord"; choose one of dev, staging, prod');
  });
});
