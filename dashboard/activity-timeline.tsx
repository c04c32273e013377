import { useEffect, useRef } from "preact/hooks";
import { drawActivity } from "./activity-strip.ts";
import { colourOf, nameOf, percent } from "./activity.ts";
import type { ActivityStretch } from "./api.ts";
import { amount, duration, time } from "./format.ts";
import { INSET } from "./plot.ts";

/** Stretches in the table. */
const LISTED = 50;

interface ActivityTimelineProps {
  /** Newest first, as the API has them. */
  readonly stretches: readonly ActivityStretch[];
  /** Epoch ms. */
  readonly from: number;
  readonly to: number;
}

/** What a model said over a time: all probabilities as a picture, and the same as a table. */
export function ActivityTimeline({ stretches, from, to }: ActivityTimelineProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (!canvas.current) return;
    drawActivity(canvas.current, stretches.toReversed(), { from, to }, INSET);
  });
  if (stretches.length === 0) return <p class="muted hint">No model has scored in this time.</p>;
  const labels = [...new Set(stretches.flatMap(({ probabilities }) => Object.keys(probabilities ?? {})))].sort();
  return (
    <>
      <ul class="shares">
        {labels.map((label) => (
          <li key={label}>
            <i class={`key ${colourOf(label).slice(2)}`} /> {nameOf(label)}
          </li>
        ))}
      </ul>
      <canvas ref={canvas} class="strip" role="img" aria-label={`Activity from ${time(from)} to ${time(to)}`} />
      <details>
        <summary>The newest of it as a table</summary>
        <div class="table" tabIndex={0} role="region" aria-label="Activity">
          <table>
            <thead>
              <tr>
                <th>From</th>
                <th class="number">Length</th>
                <th>Activity</th>
                <th>Probabilities, mean</th>
                <th class="number">Inferences</th>
                <th>Model</th>
              </tr>
            </thead>
            <tbody>
              {stretches.slice(0, LISTED).map(({ start, end, label, probabilities, inferences, model }) => (
                <tr key={start}>
                  <td>{time(start)}</td>
                  <td class="number">{duration(end - start)}</td>
                  <td>{label === null ? "no finite number" : nameOf(label)}</td>
                  <td>
                    {Object.entries(probabilities ?? {})
                      .toSorted(([, a], [, b]) => b - a)
                      .map(([name, share]) => `${nameOf(name)} ${percent(share)}`)
                      .join(", ")}
                  </td>
                  <td class="number">{amount(inferences)}</td>
                  <td>{model}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}
