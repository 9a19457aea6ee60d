/** Before which time the rows of each entity may go, by the retention of a policy: for gc, and for whoever asks what gc would do. */
import { DAY_MS } from "../base/duration.js";
import { RETENTION_DEFAULTS, type Retention } from "../policy/policy.js";
import { RETAINED_ENTITIES, type RetainedEntity } from "../store/retained-entities.js";

type Days = Required<Retention> & typeof RETENTION_DEFAULTS;

/** Which process works with which policy is only news. */
const PROCESS_DAYS = 1;

/** Null: kept for ever. */
const DAYS: Readonly<Record<RetainedEntity, (days: Days) => number | null>> = {
  events: ({ eventsDays }) => eventsDays,
  jobs: ({ jobsDays }) => jobsDays,
  quarantined_jobs: ({ quarantinedJobsDays }) => quarantinedJobsDays,
  runs: ({ jobsDays }) => jobsDays,
  internal_jobs: ({ jobsDays }) => jobsDays,
  healdec_log: ({ healdecLogsDays }) => healdecLogsDays,
  samples: ({ samplesDays }) => samplesDays,
  inbound: ({ inboundDays }) => inboundDays,
  notices: ({ noticesDays }) => noticesDays,
  alert_events: ({ alertEventsDays }) => alertEventsDays,
  // As long as what they kept quiet.
  silences: ({ alertEventsDays }) => alertEventsDays,
  policy_revisions: ({ policyRevisionsDays }) => policyRevisionsDays,
  policy_bundles: ({ policyRevisionsDays }) => policyRevisionsDays,
  policy_refusals: ({ policyRevisionsDays }) => policyRevisionsDays,
  policy_processes: () => PROCESS_DAYS,
  policy_overrides: ({ policyRevisionsDays }) => policyRevisionsDays,
  config_changes: ({ policyRevisionsDays }) => policyRevisionsDays,
  revoked_tokens: () => 0,
  workers: ({ workersDays }) => workersDays,
  unique_holds: () => 0,
  // What long work notes of itself, as long as its job.
  gc_previews: ({ jobsDays }) => jobsDays,
  export_runs: ({ jobsDays }) => jobsDays,
  backfills: ({ jobsDays }) => jobsDays,
  repair_records: ({ jobsDays }) => jobsDays,
  audit_findings: ({ jobsDays }) => jobsDays,
  maintenance_reports: ({ jobsDays }) => jobsDays,
  github_pages: ({ jobsDays }) => jobsDays,
  github_permits: () => 0,
  claims: ({ claimsDays }) => claimsDays,
  identities: ({ identitiesDays }) => identitiesDays,
  audit_log: ({ auditDays }) => auditDays,
};

/** By entity; what is kept for ever is not in it. */
export function expiriesOf(retention: Retention, now: Date): [RetainedEntity, Date][] {
  const days = { ...RETENTION_DEFAULTS, ...retention } as Days;
  return RETAINED_ENTITIES.flatMap((entity): [RetainedEntity, Date][] => {
    const before = expiryOf(entity, DAYS[entity](days), now);
    return before === null ? [] : [[entity, before]];
  });
}

/** Samples go by whole days (UTC), as their partitions do. */
function expiryOf(entity: RetainedEntity, days: number | null, now: Date): Date | null {
  if (days === null) return null;
  const before = now.getTime() - days * DAY_MS;
  return new Date(entity === "samples" ? before - (before % DAY_MS) : before);
}
