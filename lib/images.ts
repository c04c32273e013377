import { aws_ecr_assets as assets, IgnoreMode } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { nodeArguments } from "../config/node.ts";
import { root } from "./bundles.ts";

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
    "@aws-sdk/client-dynamodb",
    "@aws-sdk/client-s3",
    "@node-rs/crc32",
    "aws-msk-iam-sasl-signer-js",
    "kafkajs",
    "lz4-napi",
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

/** Arguments of the Dockerfile for a program. */
export function buildArguments(program: ImageProgram): { PROGRAM: string; PACKAGES: string; NODE_ARGUMENTS: string } {
  return {
    PROGRAM: program,
    PACKAGES: imagePackages[program].join(" "),
    NODE_ARGUMENTS: nodeArguments().join(" "),
  };
}

/**
 * The image of a program: staged at synth, built only when it is published. What the Dockerfile does not copy is left
 * out, so that the image's tag changes with its content alone.
 */
export function programImage(scope: Construct, program: ImageProgram): assets.DockerImageAsset {
  return new assets.DockerImageAsset(scope, "Image", {
    directory: root,
    buildArgs: buildArguments(program),
    platform: assets.Platform.LINUX_ARM64,
    ignoreMode: IgnoreMode.DOCKER,
    exclude: imagePrograms.filter((other) => other !== program),
  });
}
