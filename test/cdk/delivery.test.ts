import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { environment } from "../../config/environments/index.ts";
import { compare, deploy, rehearse, type Delivery } from "../../lib/delivery/deliver.ts";
import { list, statementsOf, textOf } from "./statements.ts";
import { resourcesOf, root, synthesised, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;

/** Runs nothing: notes each command with its folder below the project's, and fails those that match. */
function noted(failing: RegExp | undefined, overrides: Partial<Delivery> = {}): { delivery: Delivery; ran: string[] } {
  const ran: string[] = [];
  const delivery: Delivery = {
    config: environment("dev"),
    folder: "/project",
    version: "new",
    deployed: "old",
    token: undefined,
    run: (command, args, folder) => {
      const line = [folder.replace("/project", "") || "/", command, ...args].join(" ");
      ran.push(line);
      return Promise.resolve(failing?.test(line) ? 3 : 0);
    },
    say: () => undefined,
    ...overrides,
  };
  return { delivery, ran };
}
const BEFORE = "/.millrace/version-before";
const DEPLOY = "/ npx cdk deploy --app cdk.out --all --require-approval never";
const SMOKE = "/ npm run smoke -- --env dev";
const BACK = [
  `/ git worktree remove --force /project${BEFORE}`,
  `/ git worktree add --force --detach /project${BEFORE} old`,
  `${BEFORE} npm ci`,
  `${BEFORE} npx cdk deploy -c env=dev -c version=old --all --require-approval never`,
  `${BEFORE} npm run smoke -- --env dev`,
];

describe("a delivery", () => {
  test("synthesises, and shows what would change by the role that looks up alone", async () => {
    const { delivery, ran } = noted(undefined);
    await compare(delivery);
    expect(ran).toEqual([
      "/ npx cdk synth --quiet -c env=dev -c version=new -o cdk.out",
      "/ npx cdk diff --app cdk.out --all --method template",
    ]);
  });

  test("deploys what was compared, and tries it", async () => {
    const { delivery, ran } = noted(undefined, { token: "t" });
    await deploy(delivery);
    expect(ran).toEqual([DEPLOY, `${SMOKE} --token t`]);
  });

  test.each([
    ["the deployment fails", /^\/ npx cdk deploy/, [DEPLOY, ...BACK], /cdk deploy ended with 3; old is deployed again/],
    [
      "what is deployed does not work",
      /^\/ npm run smoke/,
      [DEPLOY, SMOKE, ...BACK],
      /old is deployed again, and works/,
    ],
    ["the version before fails, too", /deploy/, [DEPLOY, ...BACK.slice(0, 4)], /the way back to old failed, too/],
  ] as const)("goes back to the version before where %s, and fails", async (_what, failing, expected, message) => {
    const { delivery, ran } = noted(failing);
    await expect(deploy(delivery)).rejects.toThrow(message);
    expect(ran).toEqual(expected);
  });

  test.each([undefined, "unknown", "new"])("rolls nothing back where %s is what was deployed", async (deployed) => {
    const { delivery, ran } = noted(/smoke/, { deployed });
    await expect(deploy(delivery)).rejects.toThrow("nothing is rolled back");
    expect(ran).toEqual([DEPLOY, SMOKE]);
  });
});

describe("a rehearsal", () => {
  const whole = [
    "/ npm run preflight -- --env dev",
    "/ npx cdk deploy -c env=dev -c version=new --all --require-approval never",
    SMOKE,
    "/ npx cdk destroy -c env=dev -c version=new --all --force",
  ];

  test("deploys, tries and deletes", async () => {
    const { delivery, ran } = noted(undefined, { deployed: undefined });
    await rehearse(delivery);
    expect(ran).toEqual(whole);
  });

  test.each([
    [/cdk deploy/, whole.filter((line) => line !== SMOKE)],
    [/smoke/, whole],
  ])("deletes also where %s fails, and fails", async (failing, expected) => {
    const { delivery, ran } = noted(failing, { deployed: undefined });
    await expect(rehearse(delivery)).rejects.toThrow("ended with 3");
    expect(ran).toEqual(expected);
  });

  test("makes nothing where something is missing, where the environment is there, or keeps its data", async () => {
    const unready = noted(/preflight/, { deployed: undefined });
    await expect(rehearse(unready.delivery)).rejects.toThrow("preflight ended with 3");
    expect(unready.ran).toEqual(whole.slice(0, 1));
    for (const [overrides, message] of [
      [{ deployed: "unknown" }, "take an empty account"],
      [{ deployed: undefined, config: environment("prod") }, "keeps its data"],
    ] as const) {
      const { delivery, ran } = noted(undefined, overrides);
      await expect(rehearse(delivery)).rejects.toThrow(message);
      expect(ran).toEqual([]);
    }
  });
});

describe("what is deployed", () => {
  let platform: Synthesised;
  beforeAll(async () => {
    platform = await synthesised("dev");
  }, LIMIT_MS);

  test("is named by the last stack: its version is that before until all others are there", () => {
    const { monitoring } = platform.templates;
    expect(monitoring?.Outputs?.["Version"]?.Value).toBe("unknown");
    const after = Object.entries(platform.stacks).filter(([, { dependencies }]) => dependencies.includes("monitoring"));
    expect(after).toEqual([]);
  });

  test("names the image of each task by the tag that it is published with", () => {
    const tasks = resourcesOf(platform, "AWS::ECS::TaskDefinition");
    expect(tasks.length).toBeGreaterThan(3);
    for (const { stack, resource } of tasks) {
      const [container] = resource.Properties["ContainerDefinitions"] as { Name: string; Image: unknown }[];
      const tag = /:([0-9a-f]{64})"/.exec(JSON.stringify(container!.Image))?.[1];
      const named = Object.entries(platform.templates[stack]?.Outputs ?? {})
        .filter(([id]) => id.includes("ImageVersion"))
        .map(([, { Value }]) => Value);
      expect(tag).toBeDefined();
      expect(named).toContain(tag);
    }
  });
});

const BOOTSTRAP_ROLE = /cdk-hnb659fds-(.+)-role-/;

describe("the roles of a delivery", () => {
  /** https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html#bootstrapping-env-roles */
  const bootstrapRoles = (platform: Synthesised, stack: string, role: string): string[] =>
    resourcesOf(platform, "AWS::IAM::Policy")
      .filter((policy) => policy.stack === stack && JSON.stringify(policy.resource.Properties["Roles"]).includes(role))
      .flatMap(({ resource }) => statementsOf(resource))
      .filter(({ Action }) => list(Action ?? []).includes("sts:AssumeRole"))
      .flatMap(({ Resource }) => list(Resource ?? []).flatMap((text) => BOOTSTRAP_ROLE.exec(textOf(text))?.[1] ?? []))
      .toSorted();
  const subjectOf = (platform: Synthesised, name: string): unknown => {
    const role = resourcesOf(platform, "AWS::IAM::Role").find(
      ({ resource }) => resource.Properties["RoleName"] === name,
    );
    const document = role!.resource.Properties["AssumeRolePolicyDocument"] as { Statement: { Condition: unknown }[] };
    return document.Statement[0]?.Condition;
  };
  /** https://docs.github.com/en/actions/reference/security/oidc */
  const workflows = (where: string): unknown => ({
    StringEquals: {
      "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
      "token.actions.githubusercontent.com:sub": `repo:example/millrace:${where}`,
    },
  });

  test(
    "let any workflow of main compare, and only those that the environment's guards have let begin deploy",
    async () => {
      const prod = await synthesised("prod");
      expect(bootstrapRoles(prod, "access", "reviewer")).toEqual(["lookup"]);
      expect(subjectOf(prod, "millrace-prod-reviewer")).toEqual(workflows("ref:refs/heads/main"));
      expect(subjectOf(prod, "millrace-prod-deployer")).toEqual(workflows("environment:prod"));
      const { Outputs } = (await synthesised("dev")).templates["access"]!;
      expect(Object.keys(Outputs!).filter((id) => id.includes("reviewer"))).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    "have that of the rehearsal in a stack that the rehearsal does not delete",
    async () => {
      const rehearsal = await synthesised("rehearsal");
      expect(Object.keys(rehearsal.stacks)).toEqual(["rehearsal"]);
      expect(Object.keys((await synthesised("dev")).stacks)).not.toContain("rehearsal");
      expect(subjectOf(rehearsal, "millrace-dev-rehearsal")).toEqual(workflows("environment:sandbox"));
      const all = ["deploy", "file-publishing", "image-publishing", "lookup"];
      expect(bootstrapRoles(rehearsal, "rehearsal", "Role")).toEqual(all);
    },
    LIMIT_MS,
  );
});

interface Job {
  readonly needs?: string;
  readonly environment?: string;
  readonly steps: readonly { readonly run?: string; readonly uses?: string; readonly with?: Record<string, unknown> }[];
}
interface Workflow {
  readonly on: Record<string, unknown>;
  readonly permissions: Record<string, string>;
  readonly jobs: Record<string, Job>;
}

describe("the workflows", () => {
  const workflow = (name: string): Workflow =>
    parse(readFileSync(join(root, `.github/workflows/${name}.yml`), "utf8")) as Workflow;
  const commands = ({ steps }: Job): string[] => steps.flatMap(({ run }) => run ?? []);
  const roleOf = ({ steps }: Job): string =>
    String(steps.find(({ uses }) => uses?.startsWith("aws-actions/"))?.with?.["role-to-assume"]).split("/")[1] ?? "";

  test("compare before anybody is asked, and deploy in the environment that asks", () => {
    const { on, jobs, permissions } = workflow("deliver");
    expect(permissions).toEqual({ contents: "read", "id-token": "write" });
    expect(on["workflow_dispatch"]).toMatchObject({ inputs: { env: { options: ["dev", "staging", "prod"] } } });
    const { compare: first, deploy: second } = jobs;
    expect(first!.environment).toBeUndefined();
    expect(roleOf(first!)).toBe("millrace-${{ inputs.env }}-reviewer");
    expect(commands(first!).at(-1)).toBe("npm run deliver -- --env ${{ inputs.env }} --compare");
    expect([second!.needs, second!.environment]).toEqual(["compare", "${{ inputs.env }}"]);
    expect(roleOf(second!)).toBe("millrace-${{ inputs.env }}-deployer");
    expect(commands(second!).at(-1)).toMatch(/^npm run deliver -- --env \$\{\{ inputs\.env \}\} --yes /);
    // A roll-back takes the sources of the version before.
    expect(second!.steps[0]?.with).toEqual({ "fetch-depth": 0 });
  });

  test("rehearse every night as the rehearsal's role", () => {
    const { on, jobs } = workflow("rehearse");
    expect(on["schedule"]).toEqual([{ cron: expect.any(String) }]);
    const job = jobs["rehearse"]!;
    expect(job.environment).toBe("sandbox");
    expect(roleOf(job)).toBe("millrace-dev-rehearsal");
    expect(commands(job).at(-1)).toBe("npm run deliver -- --env dev --rehearse");
  });
});
