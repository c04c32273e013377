/** How a message gives the times of its samples: one per sample (`times` > 0), or the first one's with a rate. */
export interface SampleTimes {
  /** How many times were given, into `message.t`; 0 for the first sample's time alone. */
  readonly times: number;
  /** The first sample's time, epoch milliseconds; NaN where each sample has one. */
  readonly t: number;
  /** Samples per second; NaN where each sample has a time. */
  readonly hz: number;
}
