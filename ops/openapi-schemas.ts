import { z } from "zod";
import { OPEN_API } from "../adapters/openapi.ts";
import { problem } from "../domain/api.ts";
import {
  componentFigure,
  componentOverview,
  componentsOverview,
  groupOverview,
  groupPartition,
  letterRequest,
  letterSent,
  modelOverview,
  modelRequest,
  modelsChanged,
  modelsOverview,
  partitionOverview,
  raisedAlarmOverview,
  readable,
  recordPreview,
  recordsOverview,
  shadowAgreement,
  topicOverview,
} from "../domain/ops.ts";

/** What the operators' API takes and gives, by the names of its document. */
export const schemas = {
  Components: componentsOverview,
  Component: componentOverview,
  ComponentFigure: componentFigure,
  Alarm: raisedAlarmOverview,
  Topics: z.array(topicOverview),
  Topic: topicOverview,
  Partition: partitionOverview,
  Groups: z.array(groupOverview),
  Group: groupOverview,
  GroupPartition: groupPartition,
  Records: recordsOverview,
  Record: recordPreview,
  Readable: readable,
  Models: modelsOverview,
  Model: modelOverview,
  ShadowAgreement: shadowAgreement,
  ModelRequest: modelRequest,
  ModelsChanged: modelsChanged,
  LetterRequest: letterRequest,
  LetterSent: letterSent,
  OpenApi: z.looseObject({ openapi: z.literal(OPEN_API) }).describe("an OpenAPI document"),
  Problem: problem,
};
type Schemas = typeof schemas;
type RequestName = "ModelRequest" | "LetterRequest";
type AnswerName =
  | "Components"
  | "Topics"
  | "Groups"
  | "Records"
  | "Models"
  | "ModelsChanged"
  | "LetterSent"
  | "OpenApi";

const at = 1_657_533_990_000;

/** A body of each kind. */
export const requestExamples: { readonly [N in RequestName]: z.input<Schemas[N]> } = {
  ModelRequest: { action: "live", name: "activity", version: "1.0.0" },
  LetterRequest: { action: "send-again", id: "imu-data-all/3/1234/0", log: { partition: 3, offset: 17 } },
};

/** An answer of each kind. */
export const answerExamples: { readonly [N in AnswerName]: z.input<Schemas[N]> } = {
  Components: {
    atMs: at,
    components: [
      {
        name: "bridge",
        kind: "program",
        state: "running",
        status: "ok",
        problems: [],
        restarts: 0,
        figures: [
          { name: "messages", value: 200, unit: "/s" },
          { name: "publish p99", value: 4.2, unit: "ms" },
        ],
      },
    ],
    alarms: [
      {
        name: "dead-letters",
        severity: "LOW",
        means: "Records were dead-lettered for another reason than those that have an alarm of their own",
        runbook: "dead-letters",
        sinceMs: at - 60_000,
        explainedBy: null,
        components: ["bridge", "processor"],
      },
    ],
  },
  Topics: [
    {
      name: "dead-letter",
      purpose: "what was refused",
      partitions: [{ partition: 0, first: 0, next: 18, bytes: 20_480, leader: 1, replicas: 1, inSync: 1 }],
      bytes: 20_480,
      offsetsPerSecond: 0.2,
      retentionMs: 2_592_000_000,
    },
  ],
  Groups: [
    {
      group: "millrace-processor",
      state: "Stable",
      members: 1,
      readers: ["processor"],
      lag: 12,
      topics: [
        {
          topic: "imu-data-all",
          lag: 12,
          partitions: [{ partition: 0, committed: 1_222, next: 1_234, lag: 12 }],
        },
      ],
    },
  ],
  Records: {
    topic: "dead-letter",
    records: [
      {
        partition: 3,
        offset: 17,
        timestamp: at,
        bytes: 312,
        key: { form: "text", text: "s01-sw" },
        headers: [["error-code", { form: "text", text: "out-of-range" }]],
        value: {
          form: "json",
          text: '{"seq":17,"boot":"a1","t":[1657533977813],"samples":[[0,0,981,0,0,0]]}',
          isCut: false,
        },
      },
    ],
    isComplete: true,
  },
  Models: {
    models: [
      {
        name: "activity",
        version: "1.0.0",
        stage: "live",
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      },
    ],
    previous: { activity: "0.9.0" },
    agreement: [{ model: "activity/1.1.0", scores: 300, agreed: 291 }],
  },
  ModelsChanged: { lines: ["activity 1.0.0 is live from the next record on"] },
  LetterSent: { topic: "imu-data-all", partition: 3, offset: 5_678 },
  OpenApi: { openapi: OPEN_API, info: { title: "Millrace: the operators' API", version: "1.0.0" }, paths: {} },
};
