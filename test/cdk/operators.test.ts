import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { problem } from "../../domain/api.ts";
import { operatorRoutes } from "../../domain/routes.ts";
import { list, statementsOf, textOf } from "./statements.ts";
import { environments, resourcesOf, synthesised, type Resource, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;

type Found = ReturnType<typeof resourcesOf>[number];

test(
  "an environment without the operators' API has nothing of it",
  async () => {
    expect(environment("dev").operatorsApi).toBe(false);
    const platform = await synthesised("dev");
    expect(platform.templates["operators"]).toBeUndefined();
    const all = JSON.stringify(platform.templates);
    expect(all).not.toMatch(/execute-api:Invoke|\.execute-api"|millrace-dev-operators/);
  },
  LIMIT_MS,
);

describe.each(["operators-dev", ...environments.filter((env) => environment(env).operatorsApi)] as const)(
  "the operators' API of %s",
  (env) => {
    let platform: Synthesised;
    beforeAll(async () => {
      platform = await synthesised(env);
    }, LIMIT_MS);
    const all = (type: string, stack = "operators"): Found[] =>
      resourcesOf(platform, type).filter((found) => found.stack === stack);
    const one = (type: string): Resource => {
      const found = all(type);
      expect(found).toHaveLength(1);
      return found[0]!.resource;
    };
    /** Id of its endpoint, as the stack refers to it. */
    const endpointOf = (): string => {
      const endpoints = all("AWS::EC2::VPCEndpoint").filter(({ resource }) =>
        JSON.stringify(resource.Properties["ServiceName"]).includes("execute-api"),
      );
      expect(endpoints).toHaveLength(1);
      const { id, resource } = endpoints[0]!;
      // https://repost.aws/knowledge-center/api-gateway-vpc-connections: with private names every public API would be
      // refused from inside the VPC, the WebSocket API's @connections among them.
      expect(resource.Properties).toMatchObject({ VpcEndpointType: "Interface", PrivateDnsEnabled: false });
      return id;
    };

    // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-create.html
    test("is private, and known by its one endpoint", () => {
      const { EndpointConfiguration } = one("AWS::ApiGateway::RestApi").Properties as {
        EndpointConfiguration: { Types: string[]; VpcEndpointIds: unknown[] };
      };
      expect(EndpointConfiguration.Types).toEqual(["PRIVATE"]);
      expect(EndpointConfiguration.VpcEndpointIds.map(textOf)).toEqual([expect.stringContaining(endpointOf())]);
    });

    // https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html: the statuses.
    test("answers what API Gateway refuses by itself as problem details, with the status that it has", () => {
      const answers = all("AWS::ApiGateway::GatewayResponse").map(({ resource: { Properties } }) => {
        const { ResponseType, StatusCode, ResponseParameters, ResponseTemplates } = Properties as {
          ResponseType: string;
          StatusCode: string;
          ResponseParameters: Record<string, string>;
          ResponseTemplates: Record<string, string>;
        };
        expect(ResponseParameters["gatewayresponse.header.Content-Type"]).toBe("'application/problem+json'");
        const body = ResponseTemplates["application/json"]!.replace("$context.error.messageString", '"why"');
        expect(problem.parse(JSON.parse(body))).toMatchObject({ status: Number(StatusCode), detail: "why" });
        return [ResponseType, StatusCode];
      });
      expect(Object.fromEntries(answers)).toEqual({
        ACCESS_DENIED: "403",
        EXPIRED_TOKEN: "403",
        INVALID_SIGNATURE: "403",
        MISSING_AUTHENTICATION_TOKEN: "403",
        REQUEST_TOO_LARGE: "413",
        THROTTLED: "429",
        INTEGRATION_TIMEOUT: "504",
        DEFAULT_4XX: "400",
        DEFAULT_5XX: "500",
      });
    });

    // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html
    test("denies what does not come through that endpoint, and lets in nobody whose own policies do not", () => {
      const statements = statementsOf(one("AWS::ApiGateway::RestApi")) as unknown as {
        Effect: string;
        Action: string;
        Resource: string;
        Principal: { AWS: unknown };
        Condition: Record<string, Record<string, unknown>>;
      }[];
      const shown = statements.map(({ Effect, Action, Resource, Principal, Condition }) => ({
        Effect,
        Action,
        Resource,
        principal: textOf(Principal.AWS),
        condition: Object.entries(Condition).map(([operator, keys]) => [
          operator,
          ...Object.entries(keys).flatMap(([key, value]) => [key, textOf(value).includes(endpointOf())]),
        ]),
      }));
      expect(shown).toEqual([
        {
          Effect: "Allow",
          Action: "execute-api:Invoke",
          Resource: "execute-api:/*",
          principal: expect.stringMatching(/:iam::.+:root$/),
          condition: [["StringEquals", "aws:SourceVpce", true]],
        },
        {
          Effect: "Deny",
          Action: "execute-api:Invoke",
          Resource: "execute-api:/*",
          principal: "*",
          condition: [["StringNotEquals", "aws:SourceVpce", true]],
        },
      ]);
    });

    test("has the routes of the domain, each for signed requests alone", () => {
      const resources = new Map(all("AWS::ApiGateway::Resource").map(({ id, resource }) => [id, resource.Properties]));
      const pathOf = (id: string): string => {
        const { ParentId, PathPart } = resources.get(id) as { ParentId: { Ref?: string }; PathPart: string };
        return `${ParentId.Ref === undefined ? "" : pathOf(ParentId.Ref)}/${PathPart}`;
      };
      const methods = all("AWS::ApiGateway::Method").map(({ resource: { Properties } }) => ({
        route: `${String(Properties["HttpMethod"])} ${pathOf((Properties["ResourceId"] as { Ref: string }).Ref)}`,
        authorization: Properties["AuthorizationType"],
      }));
      expect(methods.map(({ route }) => route).toSorted()).toEqual(
        operatorRoutes.map(({ method, path }) => `${method} ${path}`).toSorted(),
      );
      expect(new Set(methods.map(({ authorization }) => authorization))).toEqual(new Set(["AWS_IAM"]));
    });

    test("is invoked by who is on call, and by no other role", () => {
      const invokers = resourcesOf(platform, "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy").flatMap(({ resource }) =>
        statementsOf(resource)
          .filter(({ Action }) => list(Action ?? []).some((action) => /^execute-api:(Invoke|\*)/.test(action)))
          .map(({ Resource }) => ({
            roles: JSON.stringify(resource.Properties["Roles"]),
            resources: list(Resource ?? []).map(textOf),
          })),
      );
      expect(invokers).toEqual([
        {
          roles: expect.stringContaining("Roleoncall"),
          resources: [expect.stringMatching(/-operators:ExportsOutputRefOperatorsApi\w+>\/v1\/\*\/\*$/)],
        },
      ]);
    });

    test("reads Kafka with the functions that do, and writes what a letter has become alone", () => {
      const actions = (role: string): string[] =>
        [...all("AWS::IAM::Policy"), ...all("AWS::IAM::ManagedPolicy")]
          .filter(({ id }) => id.startsWith(role))
          .flatMap(({ resource }) => statementsOf(resource))
          .flatMap(({ Action }) => list(Action ?? []))
          .filter((action) => action.startsWith("kafka-cluster:"));
      const read = ["kafka-cluster:Connect", "kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"];
      const found = (role: string): string[] => [...new Set(actions(role))].toSorted();
      expect(found("Functionreadlog")).toEqual([...read, "kafka-cluster:DescribeGroup"].toSorted());
      expect(found("Functionreadmodels")).toEqual(read);
      expect(found("Functionsendletter")).toEqual(
        [...read, "kafka-cluster:WriteData", "kafka-cluster:WriteDataIdempotently"].toSorted(),
      );
      const written = [...all("AWS::IAM::Policy"), ...all("AWS::IAM::ManagedPolicy")]
        .flatMap(({ resource }) => statementsOf(resource))
        .filter(({ Action }) => list(Action ?? []).includes("kafka-cluster:WriteData"))
        .flatMap(({ Resource }) => list(Resource ?? []).map((text) => String(textOf(text).split("/").at(-1))));
      expect(written.toSorted()).toEqual(
        ["imu-data-all", ...(env === "operators-dev" ? ["market-trades"] : []), "millrace-progress"].toSorted(),
      );
    });

    test("changes something by the task of `npm run on-aws` alone, which it may start and nothing else", () => {
      const actions = all("AWS::IAM::Policy")
        .flatMap(({ resource }) => statementsOf(resource))
        .flatMap(({ Action, Resource }) =>
          list(Action ?? []).map((action) => [action, list(Resource ?? []).map(textOf)] as const),
        )
        .filter(([action]) => !/^(kafka-cluster|logs):|:(Describe|Get|List)|^kms:Decrypt$/.test(action));
      expect(actions).toEqual([
        ["ecs:RunTask", [expect.stringMatching(/:task-definition\/millrace-[a-z]+-ops:\*$/)]],
        ["iam:PassRole", [expect.stringContaining("TaskExecutionRole"), expect.stringContaining("TaskRole")]],
      ]);
    });

    test("writes who asked for what into a log, and takes only so much at a time", () => {
      const stage = one("AWS::ApiGateway::Stage").Properties as {
        AccessLogSetting: { Format: string };
        TracingEnabled: boolean;
        MethodSettings: Record<string, unknown>[];
      };
      expect(stage.AccessLogSetting.Format).toContain("$context.identity.userArn");
      expect(stage.TracingEnabled).toBe(true);
      expect(stage.MethodSettings).toEqual([
        expect.objectContaining({ DataTraceEnabled: false, ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40 }),
      ]);
    });

    // https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
    test("is deployed when the account has its role for the logs of APIs", () => {
      expect(platform.stacks["operators"]!.dependencies).toContain("serving");
    });
  },
);
