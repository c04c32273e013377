import type { ImuSample } from "../domain/imu-message.ts";
import { SECOND, type Milliseconds } from "../domain/time.ts";
import { normal, seededRandom, type Random } from "./synthetic/random.ts";

/** The activities of one execution, in order. They are those of the data set sp-sw-har. */
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

/** The activity at a moment, and how much of it has passed, from 0 to 1. */
export function activityAt(sinceStartMs: Milliseconds): { activity: Activity; progress: number } {
  let rest = sinceStartMs % EXECUTION_MS;
  for (const { activity, lengthMs } of script) {
    if (rest < lengthMs) return { activity, progress: rest / lengthMs };
    rest -= lengthMs;
  }
  throw new Error(`no activity ${sinceStartMs} ms after the start`);
}

const GRAVITY = 9.80665;
/** Pitch of the thigh in rad: 0 while its owner sits, this while the owner stands. */
const STANDING = Math.PI / 2;

interface Person {
  readonly stepHz: number;
  /** Scale of the gait's accelerations and turns. */
  readonly vigour: number;
  readonly phase: number;
  readonly noise: number;
}

/**
 * Synthetic readings of a phone in a trouser pocket: gravity rotated by the thigh's pitch, the first harmonics of the
 * gait (about 1.8 steps per second), half turns about the vertical, and sensor noise. Their magnitudes are those of
 * real recordings.
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
  // The integral of the rate over the two seconds is π: half a turn.
  const yaw = activity === "TURNING" ? (Math.PI / 2) * (1 - Math.cos(2 * Math.PI * progress)) : 0;
  const [sin, cos] = [Math.sin(pitch), Math.cos(pitch)];
  const noise = (): number => person.noise * normal(random);
  // In the phone's axes the vertical is (0, sin, cos), and the direction of walking is (0, -cos, sin).
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

/** Real sensors have a limited resolution. */
function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
