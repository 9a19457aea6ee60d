/** What bounds samples, storms and silences, and silences that stand in Git. Pure types. */
import type { Matcher } from "./matcher.js";

/** A series beyond these is refused and told, so that one label cannot fill the store. */
export interface SampleLimits {
  readonly seriesMax: number;
  readonly perMetricMax: number;
}

export interface StormLimits {
  /** More new firings than this in a minute are a storm: what does not page becomes a digest. */
  readonly perMinute: number;
  /** How many alerts a digest names; it counts all. */
  readonly namedMax: number;
}

export interface SilenceLimits {
  readonly longestMs: number;
  /** Of those that hold pages back. */
  readonly longestPagesMs: number;
}

/** What people ask of the API first, asked of it after a deployment (BQ-op-26, BQ-api-09). */
export interface CriticalPaths {
  /** Such as `/health`, on `infrastructure.api.host`, and open to everybody: no credentials are sent. */
  readonly paths: readonly string[];
  /** For the answer of each. */
  readonly withinMs: number;
}

export interface Outlets {
  readonly prometheus: { readonly enabled: boolean };
  /** `pagerduty` and `slack` are the handles that Datadog's messages end with (HB-alr-07). */
  readonly datadog: {
    readonly enabled: boolean;
    readonly pagerduty: string;
    readonly slack: string;
  };
  readonly cloudwatch: { readonly enabled: boolean };
  readonly grafana: { readonly enabled: boolean };
}

/** A silence of silences.yaml. All its matchers must match. */
export interface SilencePolicy {
  readonly name: string;
  /** ISO 8601 in UTC with milliseconds; from `starts` on and before `ends`. */
  readonly starts: string;
  readonly ends: string;
  /** A person or a team of access.yaml. */
  readonly owner: string;
  readonly reason: string;
  readonly matchers: readonly Matcher[];
  /** Holds sev1 back as well: must be said. */
  readonly silencesPages: boolean;
}
