import { aws_ecr_assets as assets, IgnoreMode } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { nodeArguments } from "../config/node.ts";
import { root } from "./bundles.ts";

/** Folders of the project that every program imports. */
const SHARED_FOLDERS = ["adapters", "config", "domain"] as const;

/**
 * What the image of a program has besides its folder and those that all share: an operator's commands, which the
 * processor's image runs, too, read the lake and fill the document store.
 */
const imageFolders: Readonly<Partial<Record<string, readonly string[]>>> = {
  processor: ["lambda/shared", "lambda/store-sessions", "lambda/store-windows", "lambda/write-lake", "local/lake"],
};

/**
 * The programs that have an image, each with the packages that it imports: an image has no others. The processor's runs
 * an operator's commands, too.
 */
const imagePackages = {
  bridge: [
    "@aws-lambda-powertools/metrics",
    "@node-rs/crc32",
    "aws-iot-device-sdk-v2",
    "aws-msk-iam-sasl-signer-js",
    "kafkajs",
    "lz4-napi",
    "pino",
    "prom-client",
    "snappy",
    "zod",
  ],
  processor: [
    "@aws-lambda-powertools/metrics",
    "@aws-sdk/client-athena",
    "@aws-sdk/client-dynamodb",
    "@aws-sdk/client-s3",
    "@aws-sdk/client-sagemaker",
    "@aws-sdk/client-sagemaker-featurestore-runtime",
    "@aws-sdk/client-secrets-manager",
    "@duckdb/node-api",
    "@middy/core",
    "@node-rs/crc32",
    "aws-msk-iam-sasl-signer-js",
    "kafkajs",
    "lz4-napi",
    "mongodb",
    "onnxruntime-node",
    "pino",
    "prom-client",
    "snappy",
    "yaml",
    "zod",
  ],
  live: [
    "@aws-lambda-powertools/metrics",
    "@aws-sdk/client-apigatewaymanagementapi",
    "@aws-sdk/client-dynamodb",
    "@node-rs/crc32",
    "aws-msk-iam-sasl-signer-js",
    "kafkajs",
    "lz4-napi",
    "pino",
    "prom-client",
    "snappy",
    "zod",
  ],
} as const satisfies Record<string, readonly string[]>;

/** A program that has an image; its folder has this name. */
export type ImageProgram = keyof typeof imagePackages;

export const imagePrograms = Object.keys(imagePackages) as ImageProgram[];

/** The folders of the project that a program's image has. */
export function foldersOf(program: ImageProgram): string[] {
  return [...SHARED_FOLDERS, program, ...(imageFolders[program] ?? [])];
}

export interface BuildArguments {
  readonly PROGRAM: string;
  readonly FOLDERS: string;
  readonly PACKAGES: string;
  readonly NODE_ARGUMENTS: string;
}

/** Arguments of the Dockerfile for a program. */
export function buildArguments(program: ImageProgram): BuildArguments {
  return {
    PROGRAM: program,
    FOLDERS: foldersOf(program).join(" "),
    PACKAGES: imagePackages[program].join(" "),
    NODE_ARGUMENTS: nodeArguments().join(" "),
  };
}

/**
 * The image of a program: staged at synth, built only when it is published. What the Dockerfile does not copy is left
 * out, so that the image's tag changes with its content alone.
 *
 * @param name Of who runs it: the scope may have several.
 */
export function programImage(scope: Construct, program: ImageProgram, name: string): assets.DockerImageAsset {
  return new assets.DockerImageAsset(scope, `Image-${name}`, {
    directory: root,
    buildArgs: { ...buildArguments(program) },
    platform: assets.Platform.LINUX_ARM64,
    ignoreMode: IgnoreMode.DOCKER,
    exclude: imagePrograms.flatMap(foldersOf).filter((folder) => !foldersOf(program).includes(folder)),
  });
}
