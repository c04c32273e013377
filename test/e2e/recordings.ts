import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Writes recordings in the layout of the sp-sw-har data set: times with jitter and repeats, values of many digits,
 * executions of different lengths.
 *
 * @returns The samples per file.
 */
export function writeRecordings(folder: string, subjects: number, executions: number): Map<string, number> {
  const written = new Map<string, number>();
  for (let subject = 1; subject <= subjects; subject++) {
    const name = `s${String(subject).padStart(2, "0")}`;
    mkdirSync(join(folder, "DATA", name), { recursive: true });
    for (const [device, phase] of [
      ["sp", 0.3],
      ["sw", 1.1],
    ] as const) {
      for (let execution = 1; execution <= executions; execution++) {
        const samples = 180 + 37 * execution + 11 * subject;
        const rows = Array.from({ length: samples }, (_, i) => {
          const t = 1_657_533_977_000 + execution * 60_000 + subject * 1_000 + i * 10 - (i % 3 === 2 ? 10 : 0);
          const motion = (k: number): number => Math.sin(i / (7 + k) + phase * k) * (k < 3 ? 4.7 : 1.3);
          return [
            motion(0),
            motion(1),
            9.806650161743164 + motion(2),
            motion(3),
            motion(4),
            motion(5),
            t,
            i < samples / 2 ? "SEATED" : "WALKING",
          ].join(",");
        });
        const file = `${name}_${String(execution).padStart(2, "0")}_${device}.csv`;
        writeFileSync(
          join(folder, "DATA", name, file),
          `x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label\n${rows.join("\n")}\n`,
        );
        written.set(file, samples);
      }
    }
  }
  return written;
}
