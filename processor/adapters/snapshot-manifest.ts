import { z } from "zod";
import { progressRecord } from "../../domain/records.ts";
import type { Manifest } from "../engine/ports.ts";

const manifestSchema = z.object({
  version: z.number(),
  owner: z.string(),
  layout: z.number(),
  covers: progressRecord.omit({ failed: true }).nullable(),
  segments: z.array(z.object({ generation: z.number(), owner: z.string(), parts: z.number(), bytes: z.number() })),
});

/** A manifest as it is stored, as JSON. */
export function encodeManifest(manifest: Manifest): string {
  return JSON.stringify(manifest);
}

/** @throws SyntaxError when it is no JSON, ZodError when it is no manifest */
export function decodeManifest(json: string): Manifest {
  return manifestSchema.parse(JSON.parse(json));
}
