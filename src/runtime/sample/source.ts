/** Where samples come from. A source that fails gives none: the alerts' `noData` says what that means. */
import type { Sample } from "../../store/samples.js";

export interface SampleSource {
  readonly name: string;
  collect(now: Date): Promise<Sample[]>;
}

/** Without a value there is no sample: nothing is made up. */
export function gauge(
  metric: string,
  value: number | null,
  at: Date,
  labels: Readonly<Record<string, string>> = {},
): Sample[] {
  return value === null ? [] : [{ metric, labels, at, value }];
}
