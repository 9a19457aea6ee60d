/** Bounds of monitoring and the silences of Git: sections that may be missing, and what holds then. */
import { assert } from "../base/assert.js";
import { MONITORING_DEFAULTS } from "./defaults.js";
import { readMatcher } from "./matcher.js";
import type { SilencePolicy } from "./monitoring.js";
import type { Monitoring } from "./policy.js";
import { toMsOr } from "./resolve-duration.js";
import type { RawSection } from "./schema.js";

type Raw = RawSection<"monitoring">;

export function resolveMonitoring(raw: Raw = {}): Monitoring {
  const { samples, storm, afterDeployment, queries, outlets } = MONITORING_DEFAULTS;
  const { slow, ...lines } = raw.queries ?? {};
  return {
    samples: { ...samples, ...raw.samples },
    storm: { ...storm, ...raw.storm },
    silences: resolveSilenceLimits(raw.silences),
    incidents: resolveIncidents(raw.incidents),
    afterDeployment: {
      paths: raw.afterDeployment?.paths ?? afterDeployment.paths,
      withinMs: toMsOr(raw.afterDeployment?.within, afterDeployment.withinMs),
    },
    queries: { ...queries, ...lines, slowMs: toMsOr(slow, queries.slowMs) },
    outlets: {
      prometheus: { ...outlets.prometheus, ...raw.outlets?.prometheus },
      datadog: { ...outlets.datadog, ...raw.outlets?.datadog },
      cloudwatch: { ...outlets.cloudwatch, ...raw.outlets?.cloudwatch },
      grafana: { ...outlets.grafana, ...raw.outlets?.grafana },
    },
  };
}

function resolveSilenceLimits(raw: Raw["silences"]): Monitoring["silences"] {
  const { longestMs, longestPagesMs } = MONITORING_DEFAULTS.silences;
  return {
    longestMs: toMsOr(raw?.longest, longestMs),
    longestPagesMs: toMsOr(raw?.longestPages, longestPagesMs),
  };
}

function resolveIncidents(raw: Raw["incidents"]): Monitoring["incidents"] {
  const { openFor, postMortemFor, postMortemWithinMs } = MONITORING_DEFAULTS.incidents;
  return {
    openFor: raw?.openFor ?? openFor,
    postMortemWithinMs: toMsOr(raw?.postMortemWithin, postMortemWithinMs),
    postMortemFor: raw?.postMortemFor ?? postMortemFor,
  };
}

export function resolveSilences(raw: RawSection<"silences"> = {}): SilencePolicy[] {
  const names = Object.keys(raw).sort();
  return names.map((name) => {
    const { starts, ends, owner, reason, matchers, silencesPages = false } = raw[name]!;
    return {
      ...{ name, owner, reason, silencesPages },
      starts: toMoment(starts),
      ends: toMoment(ends),
      matchers: matchers.map((text) => {
        const read = readMatcher(text);
        assert(read.ok, `"${text}" passed the checks and is no matcher`);
        return read.value;
      }),
    };
  });
}

function toMoment(text: string): string {
  const moment = new Date(text);
  assert(!Number.isNaN(moment.getTime()), `"${text}" passed the checks and is no moment`);
  return moment.toISOString();
}
