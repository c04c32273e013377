import { createHash } from "node:crypto";
import { externalFiles } from "./onnx-header.ts";

/** A file beside the model: names that lead elsewhere would make the model depend on where it lies. */
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** All bytes of a model: its ONNX file, and the files in which that keeps data, in byte order of their names. */
export interface ModelBytes {
  readonly file: string;
  readonly onnx: Uint8Array;
  readonly external: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/**
 * Reads a model and the files in which it keeps data (external data, ONNX).
 *
 * @param required Gives a file beside the manifest, or throws.
 * @param refused Makes the error for a model that keeps data elsewhere.
 */
export async function readModelBytes(
  file: string,
  required: (name: string) => Promise<Uint8Array>,
  refused: (what: string) => Error,
): Promise<ModelBytes> {
  const onnx = await required(file);
  const external: ModelBytes["external"][number][] = [];
  for (const path of externalFiles(onnx)) {
    if (!FILE_NAME.test(path))
      throw refused(`${file} keeps data in ${JSON.stringify(path)}, which is no file beside it`);
    external.push({ path, data: await required(path) });
  }
  return { file, onnx, external };
}

/**
 * The hash of a model covers all of its files. It is the SHA-256 of the ONNX file, or, where that keeps data in other
 * files, of what `sha256sum` prints for the ONNX file and those files, in byte order of their names.
 */
export function modelHash({ file, onnx, external }: ModelBytes): string {
  if (external.length === 0) return sha256(onnx);
  const lines = [[file, onnx] as const, ...external.map(({ path, data }) => [path, data] as const)];
  return sha256(lines.map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`).join(""));
}

function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
