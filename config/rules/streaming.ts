import { pipelineNames, pipelineOfOutput, pipelines, type PipelineName } from "../../domain/pipelines.ts";
import { semanticsOf, semanticsProblems } from "../../domain/semantics.ts";
import { checkTopic, topics, type TopicKey, type TopicSpec } from "../../domain/topics.ts";
import { marketSettings, type Environment } from "../schema.ts";
import { environmentTopics, hasTopic, topicSettings } from "../topics.ts";
import { rule, type Condition, type Rule } from "./rule.ts";

/**
 * Partitions that an MSK Serverless cluster takes, by `cleanup.policy`.
 * https://docs.aws.amazon.com/msk/latest/developerguide/limits.html#serverless-quota
 */
const clusterPartitions: Readonly<Record<TopicSpec["cleanup"], number>> = { delete: 2_400, compact: 120 };

/** The market's settings where the config has none. */
const unset = marketSettings.parse({});

/** Rules of topics and of the pipelines that read them. */
export const streamingRules: readonly Rule[] = [
  rule(["kafka"], ({ kafka }) => [
    ...(Object.keys(kafka.partitions) as TopicKey[]).map(ownPartitions),
    [
      kafka.retentionMs.progress !== undefined,
      "kafka.retentionMs.progress: that topic is compacted; it has no retention",
    ],
  ]),
  rule(["processor"], ({ processor }) =>
    semanticsProblems(semanticsOf(processor.semantics)).map((problem) => [true, `processor.semantics: ${problem}`]),
  ),
  rule(["processor"], ({ processor }) => [
    [
      pipelineNames.every((name) => processor[name] === null),
      `processor: no pipeline runs; give an entry to one of: ${pipelineNames.join(", ")}`,
    ],
  ]),
  rule(
    ["market", "processor", "retainData"],
    ({ market: { generateTrades, concurrency, archiveDays }, processor, retainData }) => [
      [
        generateTrades && processor.market === null,
        "market.generateTrades: true, but the market does not run; give processor.market an entry",
      ],
      [
        processor.market === null && (concurrency !== unset.concurrency || archiveDays !== unset.archiveDays),
        "market: there are settings, but the market does not run; give processor.market an entry",
      ],
      [
        generateTrades && retainData,
        "market.generateTrades: an environment that keeps its data must not make up trades; leave it out",
      ],
    ],
  ),
  rule(["processor", "kafka"], ({ processor, kafka }) =>
    (["partitions", "retentionMs"] as const).flatMap((setting) =>
      (Object.keys(kafka[setting]) as TopicKey[]).map((key) => [
        !hasTopic(processor, key),
        `kafka.${setting}.${key}: the pipeline of ${topics[key].name} does not run; give it an entry in processor`,
      ]),
    ),
  ),
  rule(["live"], ({ live: { minTasks, maxTasks } }) => [
    [minTasks > maxTasks, `live.minTasks: ${minTasks}, more than maxTasks (${maxTasks})`],
  ]),
  rule(["processor", "kafka"], (config) => pipelineNames.flatMap((name) => pipelineConditions(name, config))),
  rule(["processor", "kafka"], partitionConditions),
];

/** The cluster would refuse what is beyond its quota when the topics are made, far into a deployment. */
function partitionConditions(config: Pick<Environment, "processor" | "kafka">): Condition[] {
  const all = [...environmentTopics(config), checkTopic];
  return (Object.keys(clusterPartitions) as TopicSpec["cleanup"][]).map((policy) => {
    const count = all.filter(({ cleanup }) => cleanup === policy).reduce((sum, { partitions }) => sum + partitions, 0);
    return [
      count > clusterPartitions[policy],
      `kafka.partitions: topics with cleanup.policy ${policy} would have ${count} partitions in all, and an MSK ` +
        `Serverless cluster takes ${clusterPartitions[policy]}; ask for fewer, or run a second environment beside ` +
        "this one (docs/deployment.md#scale)",
    ];
  });
}

/** The config gives partitions to inputs alone: outputs follow them. */
function ownPartitions(key: TopicKey): Condition {
  const writer = pipelineOfOutput(key);
  const input = writer && pipelines[writer].input;
  return [
    input !== undefined,
    `kafka.partitions.${key}: an output has the partitions of its input; set those of ${input} instead`,
  ];
}

function pipelineConditions(
  name: PipelineName,
  { processor, kafka }: Pick<Environment, "processor" | "kafka">,
): Condition[] {
  const size = processor[name];
  if (size === null) return [];
  const { input } = pipelines[name];
  const { partitions, retentionMs } = topicSettings(kafka, input);
  const { allowedLatenessMs } = semanticsOf(processor.semantics);
  return [
    [
      size.minTasks > size.maxTasks,
      `processor.${name}.minTasks: ${size.minTasks}, more than maxTasks (${size.maxTasks})`,
    ],
    [
      size.maxTasks > partitions,
      `processor.${name}.maxTasks: ${size.maxTasks}, more than the ${partitions} partitions of ` +
        `${topics[input].name}; a task without a partition does nothing`,
    ],
    [
      retentionMs !== -1 && retentionMs <= allowedLatenessMs,
      `kafka.retentionMs.${input}: ${retentionMs} ms, not above the allowed lateness (${allowedLatenessMs} ms); ` +
        "a task that restarts could not catch up",
    ],
  ];
}
