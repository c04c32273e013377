const PREFIX = "rescale-";

/** Names the change that gives new partitions the settings in force. */
export function rescaleChange(before: number, count: number): string {
  return `${PREFIX}${before}-${count}`;
}

/** Whether a change is one of a rescale. */
export function isRescale(change: string): boolean {
  return change.startsWith(PREFIX);
}
