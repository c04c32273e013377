/** Models in the store, and what an operator does with them. */
import { useState } from "preact/hooks";
import { Confirm } from "./confirm.tsx";
import { ops, opsAnswer, underKey, type ModelOverview, type ModelRequest, type ModelsOverview } from "./ops.ts";

/** What is to be done, under the key of this attempt and of all that repeat it. */
type Change = ModelRequest & { readonly key: string };

type ModelsProps = ModelsOverview & { readonly onChanged: () => Promise<void> };

const questions: Readonly<Record<ModelRequest["action"], (model: string) => string>> = {
  live: (model) => `${model} scores every sensor from the next record on, instead of the live model.`,
  shadow: (model) => `${model} scores beside the live model, which says whether they agree.`,
  off: (model) => `${model} stops scoring.`,
  rollback: (model) => `${model} is live again from the next record on, instead of the live model.`,
};

const buttons: Readonly<Record<ModelRequest["action"], string>> = {
  live: "Make live",
  shadow: "Shadow",
  off: "Switch off",
  rollback: "Roll back",
};

export function Models({ models, previous, agreement, onChanged }: ModelsProps) {
  const [change, setChange] = useState<Change | null>(null);
  const [done, setDone] = useState("");
  const ask = (action: ModelRequest["action"], name: string, version: string): void => {
    setDone("");
    setChange({ action, name, version, key: crypto.randomUUID() });
  };
  const apply = async ({ key, ...request }: Change): Promise<void> => {
    const { lines } = await opsAnswer(ops.POST("/ops/models", { params: underKey(key), body: request }));
    setDone(lines.join(" "));
    void onChanged();
  };
  return (
    <section class="panel" aria-labelledby="models-title">
      <h2 id="models-title">Models</h2>
      <p role="status">{done}</p>
      {models.length === 0 ? (
        <p class="muted hint">There is none in the store.</p>
      ) : (
        <div class="table" tabIndex={0} role="region" aria-label="Table of models">
          <table>
            <thead>
              <tr>
                <th>Model</th>
                <th>Stage</th>
                <th>Change</th>
                <th>Agrees with the live one</th>
                <th>SHA-256</th>
              </tr>
            </thead>
            <tbody>
              {models.map((model) => (
                <tr key={`${model.name}/${model.version}`} data-model={`${model.name}/${model.version}`}>
                  <td>
                    {model.name} {model.version}
                  </td>
                  <td>
                    <span class={`health ${model.stage === "live" ? "ok" : ""}`}>{model.stage}</span>
                  </td>
                  <td class="actions">
                    {actionsOf(model).map((action) => (
                      <button
                        key={action}
                        type="button"
                        aria-label={`${buttons[action]}: ${model.name} ${model.version}`}
                        onClick={() => ask(action, model.name, model.version)}
                      >
                        {buttons[action]}
                      </button>
                    ))}
                  </td>
                  <td>{agreementOf(model, agreement)}</td>
                  <td>
                    <code title={model.sha256}>{model.sha256.slice(0, 12)}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {Object.entries(previous).map(([name, version]) => (
        <p key={name}>
          <button type="button" onClick={() => ask("rollback", name, version)}>
            Roll {name} back to {version}
          </button>
        </p>
      ))}
      {change && (
        <Confirm
          key={change.key}
          title={buttons[change.action]}
          question={questions[change.action](`${change.name} ${change.version}`)}
          apply={() => apply(change)}
          onClose={() => setChange(null)}
        />
      )}
    </section>
  );
}

function actionsOf({ stage }: ModelOverview): ModelRequest["action"][] {
  switch (stage) {
    case "live":
      return ["off"];
    case "shadow":
    case "canary":
      return ["live", "off"];
    case "candidate":
      return ["live", "shadow"];
    case "unreadable":
      return [];
  }
}

function agreementOf({ name, version, stage }: ModelOverview, agreement: ModelsOverview["agreement"]): string {
  if (stage !== "shadow") return "";
  const found = agreement.find(({ model }) => model === `${name}/${version}`);
  if (!found) return "no scores yet";
  const share = (100 * found.agreed) / found.scores;
  return `${share.toFixed(1)} % of the newest ${found.scores} scores`;
}
