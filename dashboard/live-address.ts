/** The address of the charts of these sensors. */
export function liveAddress(sensorIds: Iterable<string>): string {
  return `#/live?sensors=${[...sensorIds].join(",")}`;
}
