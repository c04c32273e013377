import type { ImuSample } from "../domain/imu-message.ts";
import { SECOND, type Milliseconds } from "../domain/time.ts";
import { normal, seededRandom, type Random } from "./random.ts";

/** What a person does in one execution, in order: the activities of sp-sw-har. */
const script = [
  { activity: "SEATED", lengthMs: 5 * SECOND },
  { activity: "STANDING_UP", lengthMs: 2 * SECOND },
  { activity: "WALKING", lengthMs: 9 * SECOND },
  { activity: "TURNING", lengthMs: 2 * SECOND },
  { activity: "WALKING", lengthMs: 9 * SECOND },
  { activity: "TURNING", lengthMs: 2 * SECOND },
  { activity: "SITTING_DOWN", lengthMs: 2 * SECOND },
  { activity: "SEATED", lengthMs: 4 * SECOND },
] as const;
export type Activity = (typeof script)[number]["activity"];

export const EXECUTION_MS = script.reduce((sum, { lengthMs }) => sum + lengthMs, 0);

/** What a person does at a moment of an execution, and for how long already, as a fraction of it from 0 to 1. */
export function activityAt(sinceStartMs: Milliseconds): { activity: Activity; progress: number } {
  let rest = sinceStartMs % EXECUTION_MS;
  for (const { activity, lengthMs } of script) {
    if (rest < lengthMs) return { activity, progress: rest / lengthMs };
    rest -= lengthMs;
  }
  throw new Error(`no activity ${sinceStartMs} ms after the start`);
}

const GRAVITY = 9.80665;
/** Rad: the thigh lies when its owner sits, and hangs when he stands. */
const STANDING = Math.PI / 2;

interface Person {
  readonly stepHz: number;
  /** Scale of the gait's accelerations and turns. */
  readonly vigour: number;
  readonly phase: number;
  readonly noise: number;
}

/**
 * Readings of a phone in a trouser pocket: gravity turned by the thigh's pitch, the gait's first harmonics (about 1.8
 * steps a second), half turns about the vertical, sensor noise. Made up, but with the magnitudes of the real ones.
 */
export function syntheticMotion(seed: number, sensorId: string): (sinceStartMs: Milliseconds) => ImuSample {
  const random = seededRandom(seed, sensorId, "motion");
  const person: Person = {
    stepHz: 1.6 + 0.4 * random(),
    vigour: 0.8 + 0.4 * random(),
    phase: 2 * Math.PI * random(),
    noise: 0.02 + 0.03 * random(),
  };
  return (sinceStartMs) => sample(person, random, sinceStartMs);
}

function sample(person: Person, random: Random, sinceStartMs: Milliseconds): ImuSample {
  const { activity, progress } = activityAt(sinceStartMs);
  const { pitch, pitchRate } = posture(activity, progress);
  const gait = activity === "WALKING" ? person.vigour : activity === "TURNING" ? person.vigour / 2 : 0;
  const step = 2 * Math.PI * person.stepHz * (sinceStartMs / SECOND) + person.phase;
  const up = gait * (2.5 * Math.sin(step) + Math.sin(2 * step));
  const forward = gait * 1.5 * Math.cos(step);
  const sideways = gait * 0.8 * Math.sin(step / 2);
  const swing = gait * 1.5 * Math.sin(step / 2);
  // Half a turn: the rate's integral over the two seconds is π.
  const yaw = activity === "TURNING" ? (Math.PI / 2) * (1 - Math.cos(2 * Math.PI * progress)) : 0;
  const [sin, cos] = [Math.sin(pitch), Math.cos(pitch)];
  const noise = (): number => person.noise * normal(random);
  // The vertical is (0, sin, cos) in the phone's axes, the direction of walking (0, -cos, sin).
  return [
    round(sideways + noise()),
    round((GRAVITY + up) * sin - forward * cos + noise()),
    round((GRAVITY + up) * cos + forward * sin + noise()),
    round(pitchRate + swing + noise() / 4),
    round(yaw * sin + noise() / 4),
    round(yaw * cos + noise() / 4),
  ];
}

/** Pitch of the thigh and its rate of change, rad and rad/s. */
function posture(activity: Activity, progress: number): { pitch: number; pitchRate: number } {
  const rising = {
    pitch: (STANDING / 2) * (1 - Math.cos(Math.PI * progress)),
    pitchRate: (STANDING / 2) * (Math.PI / 2) * Math.sin(Math.PI * progress),
  };
  switch (activity) {
    case "SEATED":
      return { pitch: 0, pitchRate: 0 };
    case "STANDING_UP":
      return rising;
    case "SITTING_DOWN":
      return { pitch: STANDING - rising.pitch, pitchRate: -rising.pitchRate };
    default:
      return { pitch: STANDING, pitchRate: 0 };
  }
}

/** Sensors give steps, not doubles. */
function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
