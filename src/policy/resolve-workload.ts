/** workload.yaml: what is written, and the defaults for what is not. */
import { assert } from "../base/assert.js";
import { parseBytes } from "../base/bytes.js";
import { WORKLOAD_DEFAULTS } from "./defaults.js";
import { toMsOr } from "./resolve-duration.js";
import type { RawSection } from "./schema.js";
import type { ScoreWeights, WorkloadPolicy } from "./workload.js";

type Raw = RawSection<"workload">;

export function resolveWorkload(raw: Raw = {}): WorkloadPolicy {
  const { scoring, people, backfill, github, maintenance } = WORKLOAD_DEFAULTS;
  return {
    scoring: {
      formula: raw.scoring?.formula ?? scoring.formula,
      weights: raw.scoring?.weights ? weightsOf(raw.scoring.weights) : scoring.weights,
    },
    people: {
      mergeAt: raw.people?.["merge-at"] ?? people.mergeAt,
      hintAt: raw.people?.["hint-at"] ?? people.hintAt,
    },
    repositories: resolveRepositories(raw.repositories),
    backfill: {
      openMax: raw.backfill?.["open-max"] ?? backfill.openMax,
      liveOlderThanMs: toMsOr(raw.backfill?.["live-older-than"], backfill.liveOlderThanMs),
    },
    github: {
      reserve: raw.github?.reserve ?? github.reserve,
      inFlight: raw.github?.["in-flight"] ?? github.inFlight,
      perSecond: raw.github?.["per-second"] ?? github.perSecond,
    },
    maintenance: {
      backup: raw.maintenance?.backup ?? maintenance.backup,
      backupsKeep: raw.maintenance?.["backups-keep"] ?? maintenance.backupsKeep,
      unusedIndexDays: raw.maintenance?.["unused-index-days"] ?? maintenance.unusedIndexDays,
    },
  };
}

function weightsOf({
  "bus-factor": busFactor,
  ...rest
}: NonNullable<NonNullable<Raw["scoring"]>["weights"]>): ScoreWeights {
  return { ...rest, busFactor };
}

function resolveRepositories(raw: Raw["repositories"] = {}): WorkloadPolicy["repositories"] {
  const defaults = WORKLOAD_DEFAULTS.repositories;
  return {
    cacheBytesMax: toBytes(raw.cache, defaults.cacheBytesMax),
    repoBytesMax: toBytes(raw.largest, defaults.repoBytesMax),
    indexForks: raw.forks ?? defaults.indexForks,
    fetchTimeoutMs: toMsOr(raw["fetch-timeout"], defaults.fetchTimeoutMs),
  };
}

function toBytes(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const bytes = parseBytes(text);
  assert(bytes !== null, `"${text}" passed the checks and is no size`);
  return bytes;
}
