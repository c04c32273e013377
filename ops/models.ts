import { MillraceError } from "../domain/errors.ts";
import { type ModelRequest, type ModelsOverview, modelRequest, type ShadowAgreement } from "../domain/ops.ts";
import { inferenceRecord } from "../domain/records.ts";
import type { ModelCommand } from "../processor/commands/model/arguments.ts";
import type { StoredModel } from "../processor/commands/model/stored-models.ts";
import { failed, type Answer } from "./answer.ts";
import { Changes } from "./changes.ts";

/** Scores that the agreement of shadows is of: the newest in the log. */
const SCORES = 300;

/** What is read of the store of models. */
export interface StoreOfModels {
  list(): Promise<readonly StoredModel[]>;
  /** @throws MillraceError when there is none */
  previousLive(name: string): Promise<{ readonly version: string }>;
}

export interface ModelsOptions {
  readonly registry: StoreOfModels;
  /** Values of the newest records with scores. */
  readonly newestScores: (limit: number) => Promise<readonly (Uint8Array | null)[]>;
  /** Carries a command of `npm run model` out; `changeId` names the change in the log, which tasks take once. */
  readonly run: (command: ModelCommand, changeId: string) => Promise<readonly string[]>;
}

/** The models in the store, where a roll back goes, and how often shadows agree. */
export async function readModels(
  registry: StoreOfModels,
  newestScores: ModelsOptions["newestScores"],
): Promise<ModelsOverview> {
  const models = await registry.list();
  const previous: Record<string, string> = {};
  for (const name of new Set(models.map((model) => model.name))) {
    const version = await previousOf(registry, name);
    if (version !== null) previous[name] = version;
  }
  const isShadowed = models.some(({ stage }) => stage === "shadow");
  return { models: [...models], previous, agreement: isShadowed ? agreementOf(await newestScores(SCORES)) : [] };
}

/** The models in the store, and what an operator does with them: by the code of `npm run model`, one at a time. */
export class Models {
  readonly #options: ModelsOptions;
  readonly #changes = new Changes(modelRequest, (request, key) => this.#apply(request, key));

  constructor(options: ModelsOptions) {
    this.#options = options;
  }

  overview(): Promise<ModelsOverview> {
    return readModels(this.#options.registry, this.#options.newestScores);
  }

  /** Does what a body asks for, once for a key: the same request again gets the same answer. */
  change(body: unknown, key: string): Promise<Answer> {
    return this.#changes.apply(body, key);
  }

  async #apply(request: ModelRequest, changeId: string): Promise<Answer> {
    const { registry, run } = this.#options;
    try {
      if (request.action === "rollback") {
        const previous = await previousOf(registry, request.name);
        if (previous !== request.version)
          return failed(409, `${request.name} goes back to ${previous ?? "no version"}, not to ${request.version}`);
      }
      return { status: 200, body: { lines: await run(commandOf(request), changeId) } };
    } catch (error) {
      return error instanceof MillraceError
        ? failed(409, error.message)
        : failed(502, `the change is not complete: ${(error as Error).message}; give it again`);
    }
  }
}

/** Going back is promoting the version that the request names: by then it is known to be the one before. */
function commandOf({ action, name: model, version }: ModelRequest): ModelCommand {
  if (action === "off") return { name: "off", model, version };
  return { name: "promote", model, version, stage: action === "rollback" ? "live" : action, share: undefined };
}

async function previousOf(registry: StoreOfModels, name: string): Promise<string | null> {
  try {
    return (await registry.previousLive(name)).version;
  } catch (error) {
    if (error instanceof MillraceError) return null;
    throw error;
  }
}

/** By shadow, of the scores that have one. */
function agreementOf(values: readonly (Uint8Array | null)[]): ShadowAgreement[] {
  const counts = new Map<string, { scores: number; agreed: number }>();
  for (const value of values) {
    const record = inferenceRecord.safeParse(value && JSON.parse(Buffer.from(value).toString("utf8")));
    const shadow = record.data?.shadow;
    if (!shadow) continue;
    const model = `${shadow.model.name}/${shadow.model.version}`;
    const { scores, agreed } = counts.get(model) ?? { scores: 0, agreed: 0 };
    counts.set(model, { scores: scores + 1, agreed: agreed + (shadow.agrees ? 1 : 0) });
  }
  return [...counts].map(([model, count]) => ({ model, ...count }));
}
