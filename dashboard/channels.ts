import type { Channel } from "../domain/live-messages.ts";

/** A kind of chart: channels with one unit. The last one is the magnitude. */
export interface ChartKind {
  readonly title: string;
  readonly unit: string;
  readonly channels: readonly { readonly name: Channel; readonly label: string; readonly colour: string }[];
  /** The vertical axis shows this much at least. */
  readonly atLeast: readonly [low: number, high: number];
}

export const chartKinds = [
  {
    title: "Acceleration",
    unit: "m/s²",
    channels: [
      { name: "ax", label: "x", colour: "--x" },
      { name: "ay", label: "y", colour: "--y" },
      { name: "az", label: "z", colour: "--z" },
      { name: "accMag", label: "|a|", colour: "--magnitude" },
    ],
    atLeast: [-2, 12],
  },
  {
    title: "Angular rate",
    unit: "rad/s",
    channels: [
      { name: "gx", label: "x", colour: "--x" },
      { name: "gy", label: "y", colour: "--y" },
      { name: "gz", label: "z", colour: "--z" },
      { name: "gyroMag", label: "|ω|", colour: "--magnitude" },
    ],
    atLeast: [-1, 1],
  },
] as const satisfies ChartKind[];
