import { MillraceError } from "../domain/errors.ts";
import { modelFiles } from "../processor/adapters/model-files.ts";
import { previousLive, storedModels } from "../processor/commands/model/stored-models.ts";
import type { StoreOfModels } from "./models.ts";

/** What can be read of the store of models. */
export function storeOf({ modelSource, region }: { modelSource: string | undefined; region: string }): StoreOfModels {
  if (modelSource === undefined)
    throw new MillraceError("config-invalid", "MODEL_SOURCE is missing: a folder or s3:// prefix is expected");
  const files = modelFiles(modelSource, region);
  return { list: () => storedModels(files), previousLive: (name) => previousLive(files, name) };
}
