import { colourOf } from "./activity.ts";
import { themeColour } from "./theme.ts";
import type { Activity } from "./watched-sensor.ts";

const HEIGHT = 28;

/**
 * Draws what a model says over time: for each part of the time the probabilities of all labels, one above the other.
 *
 * @param from Time of the left edge, epoch ms.
 * @param inset Pixels left and right of the time, as a chart above it has them.
 */
export function drawActivity(
  canvas: HTMLCanvasElement,
  activities: readonly Activity[],
  { from, to }: { readonly from: number; readonly to: number },
  inset: { readonly left: number; readonly right: number },
): void {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, HEIGHT];
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const x = (time: number): number =>
    inset.left + ((Math.max(from, time) - from) / (to - from)) * (width - inset.left - inset.right);
  activities.forEach(({ start, end, probabilities }, i) => {
    // An inference describes more time than passes until the next one: it holds until then.
    const until = Math.min(to, Math.max(end, start), activities[i + 1]?.start ?? Infinity);
    if (probabilities === null || until <= from || start >= to) return;
    let top = 0;
    for (const [label, share] of Object.entries(probabilities).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      context.fillStyle = themeColour(colourOf(label));
      context.fillRect(x(start), top * height, x(until) - x(start) + 0.5, share * height);
      top += share;
    }
  });
}
