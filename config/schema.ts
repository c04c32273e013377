import { z } from "zod";
import { tradeQueue } from "../domain/event-source-mappings.ts";
import { pipelineNames, type PipelineName } from "../domain/pipelines.ts";
import { semanticsSettings, type Semantics } from "../domain/semantics.ts";
import { tables, type TableName } from "../domain/tables.ts";
import { DAY, SECOND } from "../domain/time.ts";
import { topics, type TopicKey } from "../domain/topics.ts";

const whole = (min: number, max: number) => z.int().min(min).max(max);
const cidr = z
  .string()
  .regex(
    /^(\d{1,3}\.){3}\d{1,3}\/(1[6-9]|2[0-8])$/,
    "expected an IPv4 CIDR block from /16 to /28, such as 10.20.0.0/16",
  );
const arn = z.string().regex(/^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\d{0,12}:.+$/, "expected an ARN");
const tableName = z.enum(Object.keys(tables) as [TableName, ...TableName[]]);
const topicKey = z.enum(Object.keys(topics) as [TopicKey, ...TopicKey[]]);

/** A domain of your own. Its certificate exists beforehand, because only the zone's owner can validate it. */
const ownDomain = z.strictObject({
  name: z.hostname(),
  certificateArn: arn,
  hostedZoneId: z.string().optional(),
  hostedZoneName: z.hostname().optional(),
});

const https = z.url({ protocol: /^https$/ });

/** Who is an operator: the members of this group, and tokens with the scope `operator`. */
const operatorsGroup = z.string().min(1).default("operators");

/** An OpenID Connect issuer of your own. */
const ownIssuer = z.strictObject({
  cognito: z.literal(false).optional(),
  issuer: https,
  /** What a token must name. */
  audience: z.string().min(1),
  jwksUri: https,
  /**
   * The page at the issuer: a public client of the authorization code flow with PKCE, without a secret, whose redirect
   * URI and post-logout redirect URI are the page's address. `null`: nobody can sign in on the page.
   */
  clientId: z.string().min(1).nullable().default(null),
  /** What the page asks for: `offline_access` where the issuer wants it to renew sessions. */
  scopes: z.array(z.string().min(1)).min(1).default(["openid", "profile"]),
  /** What the issuer's authorization endpoint wants beside, to give a token for the audience: `{ resource: "…" }`. */
  parameters: z.record(z.string(), z.string()).default({}),
  /** Where its token endpoint is, if that is not the issuer's own origin. */
  tokenOrigin: https.nullable().default(null),
  /** Claim of a token that lists the groups of who has signed in. */
  groupsClaim: z.string().min(1).default("groups"),
  operatorsGroup,
});

/** A user pool of Amazon Cognito that the deployment makes, for who has no issuer. */
const userPool = z.strictObject({ cognito: z.literal(true), operatorsGroup });

export type OwnIssuer = z.output<typeof ownIssuer>;

export type OwnDomain = z.output<typeof ownDomain>;

/** How one pipeline runs: the number of its ECS tasks follows the lag. A task has one vCPU and owns some partitions. */
const pipelineSize = z.strictObject({
  minTasks: whole(1, 1_000),
  maxTasks: whole(1, 1_000),
  memoryMiB: z.literal([2048, 3072, 4096, 5120, 6144, 7168, 8192]).default(2048),
  /** Records of lag per task that the number of tasks aims at. */
  lagPerTask: whole(1, 10_000_000).default(5_000),
  /** Generation of the log in the input topic: one more each time a lost log begins anew. */
  logGeneration: whole(1, 1_000_000).default(1),
});

/** One entry per pipeline of `domain/pipelines.ts`; `null` or absent: the pipeline does not run in this environment. */
const pipelineSizes = Object.fromEntries(
  pipelineNames.map((name) => [name, pipelineSize.nullable().default(null)]),
) as Record<PipelineName, z.ZodDefault<z.ZodNullable<typeof pipelineSize>>>;

export type PipelineSize = z.output<typeof pipelineSize>;

/** How trades come in, where `processor.market` has an entry. */
export const marketSettings = z.strictObject({
  /** Whether a schedule makes a minute of trades each minute, so that there is something to see. */
  generateTrades: z.boolean().default(false),
  /** Batches of trades that are appended to Kafka at once. Each opens about three connections to the cluster. */
  concurrency: whole(2, 100).default(tradeQueue.maximumConcurrency),
  /** How long the event bus's archive keeps trades, to send them again. */
  archiveDays: whole(1, 3_650).default(30),
});

/** Overrides of `domain/semantics.ts`, each optional. */
const semantics = z.strictObject(
  Object.fromEntries(
    semanticsSettings.map(([name, setting]) => [
      name,
      ("choices" in setting ? z.enum(setting.choices) : whole(setting.min, setting.max)).optional(),
    ]),
  ) as unknown as { [K in keyof Semantics]: z.ZodOptional<z.ZodType<Semantics[K], Semantics[K]>> },
);

/** One environment: what `config/environments/<env>.ts` gives. An unknown key is a mistake, not an extension. */
export const environmentSchema = z.strictObject({
  /** Part of every name, so that environments can share an account. */
  name: z.string().regex(/^[a-z][a-z0-9]{1,11}$/, "expected 2 to 12 lower-case letters and digits"),
  /** @default the account of the CLI's credentials, at deployment */
  account: z
    .string()
    .regex(/^\d{12}$/, "expected 12 digits")
    .optional(),
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "expected a region such as eu-central-1"),
  /**
   * Ids of availability zones. Their names mean another zone in each account, and not every service is in every zone.
   * Not looked up, so that a synth needs no credentials.
   */
  zones: z
    .array(z.string().regex(/^[a-z]+\d-az\d$/, "expected the id of a zone, such as use1-az4"))
    .min(2)
    .max(6),
  /**
   * What the environment was deployed with, where that cannot change without losing data: copied here after the first
   * deployment. A config that differs from it is refused. `null`: not deployed yet, or nothing to lose.
   */
  deployed: z
    .strictObject({
      name: z.string(),
      region: z.string(),
      zones: z.array(z.string()),
      cidr: z.string(),
      mqttPrefix: z.string().nullable(),
    })
    .nullable()
    .default(null),
  /** Tags of every resource, beside `project` and `environment`. */
  tags: z.record(z.string().min(1).max(128), z.string().max(256)).default({}),
  /** `true` keeps data when a stack is deleted, and protects stacks and stores from deletion. */
  retainData: z.boolean(),
  /**
   * Some settings exist once in an account and region: IoT logging and fleet indexing, API Gateway's log role. One
   * environment of an account owns them; the others rely on it.
   */
  ownsAccountSettings: z.boolean(),
  /**
   * What the MQTT topics of the environment begin with, without the slash: `dev` for `dev/imu/{sensorId}`. IoT Core has
   * one broker per account and region, so environments there differ in it. `null`: none.
   */
  mqttPrefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/, "expected 1 to 32 letters, digits, - and _")
    .nullable(),
  deployer: z
    .strictObject({
      /**
       * GitHub repository, as `owner/name`, whose workflows take the deployer's role, in its environment of this name.
       * GitHub's identity provider is in the account beforehand. `null`: principals of the account take the role.
       */
      repository: z
        .string()
        .regex(/^[\w.-]+\/[\w.-]+$/, "expected owner/name")
        .nullable(),
    })
    .prefault({ repository: null }),
  logRetentionDays: z.literal([7, 14, 30, 60, 90, 180, 365, 400, 731]),
  network: z.strictObject({
    cidr,
    /** Networks that will be peered or routed to. `cidr` must not overlap them. */
    peerCidrs: z.array(cidr).default([]),
    /** With 0, bridge and live, which need the internet, run in public subnets. Nothing can connect to them. */
    natGateways: whole(0, 6),
  }),
  kafka: z.strictObject({
    /** Partitions of input topics, by their key in `domain/topics.ts`. Outputs have those of their input. */
    partitions: z.partialRecord(topicKey, whole(1, 1_000)).default({}),
    /** Retention by topic key. */
    retentionMs: z.partialRecord(topicKey, whole(60 * SECOND, 365 * DAY)).default({}),
  }),
  bridge: z.strictObject({ tasks: whole(1, 100), connectionsPerTask: whole(1, 1_000) }),
  processor: z.strictObject({
    delivery: z.enum(["transactional", "idempotent"]),
    commitIntervalMs: whole(1, 10 * SECOND).default(100),
    transactionsPerSecond: whole(1, 1_000).default(20),
    snapshotIntervalMs: whole(SECOND, 600 * SECOND).default(10 * SECOND),
    semantics: semantics.default({}),
    ...pipelineSizes,
  }),
  market: marketSettings.prefault({}),
  /** The number of tasks follows their CPU. */
  live: z.strictObject({ minTasks: whole(1, 100), maxTasks: whole(1, 100) }),
  /**
   * Whether the operators' API is there: a private one, reached through an interface endpoint that is paid for by the
   * hour in each zone.
   */
  operatorsApi: z.boolean(),
  functions: z.strictObject({
    /**
     * Whether the functions that should not run more often at once reserve their share of the account's concurrent
     * executions. 100 of them must stay unreserved; a new account may have 10 in all, and refuses every reservation.
     */
    reserveConcurrency: z.boolean(),
  }),
  lake: z.strictObject({
    /** When rows are archived in Glacier Instant Retrieval; `null` for never. */
    glacierAfterDays: whole(1, 3_650).nullable(),
    expireAfterDays: whole(1, 36_500).default(2_557),
    bufferMiB: whole(64, 128).default(128),
    bufferSeconds: whole(60, 900),
    /**
     * Delivery streams of a table that more comes for than Firehose's quota lets one stream take: `{ raw: 4 }`. The
     * rows are spread over them. A table without an entry has one.
     */
    streams: z.partialRecord(tableName, whole(1, 50)).default({}),
    /** Versioned bucket in another region that the tables are replicated to, and the key there that encrypts them. */
    replica: z.strictObject({ bucketArn: arn, keyArn: arn }).nullable(),
    /** Bytes that one Athena query may scan. */
    queryScanLimitGiB: whole(1, 10_000),
    /** Whether CloudTrail records who read or wrote which object. */
    auditTrail: z.boolean(),
  }),
  features: z.strictObject({ onlineTtlDays: whole(1, 365) }),
  documents: z.strictObject({
    minCapacity: z.number().min(0.5).max(256),
    maxCapacity: z.number().min(1).max(256),
    instances: whole(1, 16),
    backupDays: whole(7, 35),
  }),
  api: z.strictObject({
    domain: ownDomain.nullable(),
    websocketDomain: ownDomain.nullable(),
    /** Whose tokens the API takes. `null` leaves it open; an environment that keeps its data must not do that. */
    auth: z.discriminatedUnion("cognito", [ownIssuer, userPool]).nullable(),
    corsOrigins: z.array(z.string()).min(1),
    requestsPerSecond: whole(1, 10_000),
    burst: whole(1, 10_000),
  }),
  web: z.strictObject({
    /** The certificate of a CloudFront domain is in us-east-1. */
    domain: ownDomain.nullable(),
    /** Web ACL of scope CLOUDFRONT (in us-east-1). */
    webAclArn: arn.nullable(),
  }),
  alarms: z.strictObject({
    /** Who is paged by CRITICAL and HIGH alarms. */
    email: z.email().nullable(),
    /** Who gets the tickets of MEDIUM and LOW ones. */
    ticketEmail: z.email().nullable().default(null),
    /** Address under which `docs/runbooks/` can be read; descriptions link to it. `null`: they name the file. */
    runbooksUrl: z
      .url({ protocol: /^https$/ })
      .nullable()
      .default(null),
  }),
  /**
   * What the environment may cost in a month, by the cost allocation tag `environment`, which has to be active in the
   * account that pays. 80 % and a forecast of 100 % raise a ticket; at 100 % the deployer may no longer deploy, until
   * the month ends or somebody reverses it. `null`: no budget.
   */
  budget: z
    .strictObject({ monthlyDollars: whole(1, 10_000_000) })
    .nullable()
    .default(null),
});

export type EnvironmentInput = z.input<typeof environmentSchema>;
export type Environment = z.output<typeof environmentSchema> & { readonly semantics: Semantics };
