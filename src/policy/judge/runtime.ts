/** What a change of work, healing, retention, schedules, flags or adoption means. */
import type { Json } from "../../base/json.js";
import { RETENTION_DEFAULTS, type Retention } from "../policy.js";
import { days, duration, percent, plain, value } from "../words.js";
import {
  amount,
  entry,
  exchange,
  figure,
  type Judge,
  type Meaning,
  numberOf,
  type Rows,
  toggle,
  verdict,
} from "./row.js";
import { startsPerDay } from "./starts-per-day.js";

/** As people write them. */
export const RETENTION_NAMES: Readonly<Record<string, string>> = {
  eventsDays: "events_retention_days",
  jobsDays: "jobs_retention_days",
  healdecLogsDays: "healdec_logs_retention_days",
  quarantinedJobsDays: "quarantined_jobs_retention_days",
  quarantinedJobsWarnDays: "quarantined_jobs_warn_days",
  samplesDays: "samples_retention_days",
  inboundDays: "inbound_retention_days",
  noticesDays: "notices_retention_days",
  alertEventsDays: "alert_events_retention_days",
  policyRevisionsDays: "policy_revisions_retention_days",
  workersDays: "workers_retention_days",
  claimsDays: "claims_retention_days",
  identitiesDays: "identities_retention_days",
  auditDays: "audit_retention_days",
  logsDays: "logs_retention_days",
  exportsDays: "exports_retention_days",
} satisfies Record<keyof Retention, string>;

const MORE_AT_ONCE: Meaning = ["looser", "more at once"];
const FEWER_AT_ONCE: Meaning = ["stricter", "fewer at once"];

/** What is gone is gone: nothing brings back rows that a shorter time has taken. */
const keptFor: Judge = ({ at: [, key = ""], before, after }) => {
  const defaults: Readonly<Record<string, Json>> = RETENTION_DEFAULTS;
  // Sets of an older version lack keys that came later, and were kept as the default says.
  const [from, to] = [before, after].map((one) =>
    numberOf(one === undefined ? defaults[key] : one),
  );
  const show = (count: number) => (count === Number.POSITIVE_INFINITY ? "for ever" : days(count));
  const words = `kept ${show(from!)} → ${show(to!)}`;
  if (from === to) return verdict(`kept ${show(to!)}`, ["neutral", "as before"]);
  return to! < from!
    ? verdict(words, ["irreversible", `what is older than ${show(to!)} is deleted`])
    : verdict(words, ["neutral", "kept longer"]);
};

const RETENTION_ROWS: Rows = {
  ...Object.fromEntries(Object.keys(RETENTION_NAMES).map((key) => [`retention.${key}`, keptFor])),
  "retention.quarantinedJobsWarnDays": amount("warned before", days, {
    more: ["stricter", "warned sooner"],
    less: ["looser", "warned later"],
  }),
};

const judgeRateLimit: Judge = ({ before, after }) => {
  const rate = (json: Json | undefined) => {
    const { max = Number.POSITIVE_INFINITY, perMs = 1 } = (json ?? {}) as {
      max?: number;
      perMs?: number;
    };
    return max / perMs;
  };
  const show = (json: Json | undefined) => {
    const limit = json as { max: number; perMs: number } | null | undefined;
    return limit ? `${limit.max} in ${duration(limit.perMs)}` : "no bound";
  };
  const more = rate(after) > rate(before);
  return verdict(`starts ${show(before)} → ${show(after)}`, [
    more ? "looser" : "stricter",
    more ? "may start more often" : "may start less often",
  ]);
};

const WORKER_ROWS: Rows = {
  "workers.*": entry({ added: ["new", "the kind is new"], removed: ["gone", "the kind is gone"] }),
  "workers.*.kind": exchange("kind"),
  "workers.*.enabled": toggle("is", {
    on: ["looser", "its jobs run again"],
    off: ["stricter", "it stops, its jobs wait"],
  }),
  "workers.*.concurrency": amount("concurrency", plain, {
    more: MORE_AT_ONCE,
    less: FEWER_AT_ONCE,
  }),
  "workers.*.globalMax": amount("at once over all processes", plain, {
    more: MORE_AT_ONCE,
    less: FEWER_AT_ONCE,
  }),
  "workers.*.rateLimit": judgeRateLimit,
  "workers.*.priority": figure("priority", plain),
  "workers.*.timeoutMs": amount("may run for", duration, {
    more: ["looser", "ended later when it hangs"],
    less: ["stricter", "ended sooner"],
  }),
  "workers.*.attemptsMax": amount("attempts", plain, {
    more: ["looser", "tried more often before it fails"],
    less: ["stricter", "fails after fewer tries"],
  }),
  "workers.*.target.perMinute": amount("target per minute", plain, {
    more: ["stricter", "more is asked of it"],
    less: ["looser", "less is asked of it"],
  }),
  "workers.*.target.errorRateMax": amount("errors allowed", percent, {
    more: ["looser", "more may fail"],
    less: ["stricter", "fewer may fail"],
  }),
};

const judgeStrategy: Judge = ({ before, after }) => {
  const words = `answer ${value(before)} → ${value(after)}`;
  if (after === "escalate") return verdict(words, ["stricter", "people are told"]);
  return before === "escalate"
    ? verdict(words, ["looser", "people are not told"])
    : verdict(words, ["neutral", ""]);
};

const RUNS_MORE: Meaning = ["looser", "more runs without a person"];
const RUNS_LESS: Meaning = ["stricter", "fewer runs without a person"];
const EARNED_LATER: Meaning = ["stricter", "trust is earned later"];
const EARNED_SOONER: Meaning = ["looser", "trust is earned sooner"];

const AUTOMATION_LIMIT_ROWS: Rows = {
  "healing.automation.globalPerHourMax": amount("runs of all automation in an hour", plain, {
    more: RUNS_MORE,
    less: RUNS_LESS,
  }),
  "healing.automation.breakerAfter": amount("unverified runs until a person looks", plain, {
    more: RUNS_MORE,
    less: RUNS_LESS,
  }),
  "healing.automation.depthMax": amount("runs that cause one another", plain, {
    more: RUNS_MORE,
    less: RUNS_LESS,
  }),
  ...Object.fromEntries(
    [
      "toApprove.drills",
      "toApprove.verified",
      "toAuto.drills",
      "toAuto.verified",
      "toAuto.days",
    ].map((key) => [
      `healing.automation.promotion.${key}`,
      amount(`${key.replace(".", " needs ")}`, plain, { more: EARNED_LATER, less: EARNED_SOONER }),
    ]),
  ),
  "healing.automation.promotion.demoteAfter": amount("failures that cost a level", plain, {
    more: ["looser", "trust is lost later"],
    less: ["stricter", "trust is lost sooner"],
  }),
};

const HEALING_ROWS: Rows = {
  "healing.enabled": toggle("healing", {
    on: ["stricter", "failed jobs are healed"],
    off: ["looser", "failed jobs stay failed"],
  }),
  "healing.backoff.baseMs": amount("first wait", duration, {
    more: ["looser", "tried again later"],
    less: ["stricter", "tried again sooner"],
  }),
  "healing.backoff.capMs": amount("longest wait", duration, {
    more: ["looser", "tried again later"],
    less: ["stricter", "tried again sooner"],
  }),
  "healing.backoff.jitter": figure("chance in the wait", percent),
  ...Object.fromEntries(
    ["transient", "crash", "data", "partial", "critical"].map((kind) => [
      `healing.strategies.${kind}`,
      judgeStrategy,
    ]),
  ),
  "healing.crashMax": amount("crashes allowed", plain, {
    more: ["looser", "a job may kill more workers"],
    less: ["stricter", "quarantined sooner"],
  }),
  "healing.workerDeadAfterMs": amount("a silent worker is dead after", duration, {
    more: ["looser", "noticed later"],
    less: ["stricter", "noticed sooner"],
  }),
  ...AUTOMATION_LIMIT_ROWS,
  "healing.breakers.*.windowMs": figure("calls of the last", duration, "judged together"),
  "healing.breakers.*.callsMin": amount("calls that count", plain, {
    more: ["looser", "opens later"],
    less: ["stricter", "opens sooner"],
  }),
  "healing.breakers.*.successRateMin": amount("success needed", percent, {
    more: ["stricter", "opens sooner"],
    less: ["looser", "opens later"],
  }),
  "healing.breakers.*.p95MaxMs": amount("slowness allowed", duration, {
    more: ["looser", "opens later"],
    less: ["stricter", "opens sooner"],
  }),
  "healing.breakers.*.openMs": amount("left alone for", duration, {
    more: ["stricter", "tried again later"],
    less: ["looser", "tried again sooner"],
  }),
  "healing.breakers.*.probes": amount("probes", plain, {
    more: ["looser", "more calls while it may be down"],
    less: ["stricter", "fewer calls while it may be down"],
  }),
  "healing.breakers.*.closeAfter": amount("good probes needed", plain, {
    more: ["stricter", "closes later"],
    less: ["looser", "closes sooner"],
  }),
  "healing.breakers.*.gateMaxMs": amount("waits on request for at most", duration, {
    more: ["stricter", "asked again later"],
    less: ["looser", "asked again sooner"],
  }),
};

const judgeCron: Judge = ({ before, after }) => {
  const words = `${value(before)} → ${value(after)}`;
  const [from, to] = [before, after].map((cron) => startsPerDay(String(cron)));
  if (from == null || to == null || from === to)
    return verdict(words, ["neutral", "at other times"]);
  return verdict(
    words,
    to > from ? ["looser", "runs more often"] : ["stricter", "runs less often"],
  );
};

const SCHEDULE_ROWS: Rows = {
  "schedules.*": entry({
    added: ["new", "the schedule is new"],
    removed: ["gone", "the schedule is gone: it does not run any more"],
  }),
  "schedules.*.name": exchange("name"),
  "schedules.*.cron": judgeCron,
  "schedules.*.timeZone": exchange("time zone"),
  "schedules.*.kind": exchange("runs", ["looser", "does something else"]),
  "schedules.*.payload": exchange("with", ["looser", "does something else"]),
  "schedules.*.missed": exchange("after downtime"),
};

const FLAG_ROWS: Rows = {
  "flags.*": entry({ added: ["new", "the flag is new"], removed: ["gone", "the flag is gone"] }),
  "flags.*.name": exchange("name"),
  "flags.*.value": exchange(""),
  "flags.*.owner": exchange("owner"),
  "flags.*.expires": exchange("ends"),
  "flags.*.why": exchange("why"),
  "cache.defaultMs": figure("kept", duration),
  "cache.repoMetadataMs": figure("repository metadata kept", duration),
  "cache.repoScoreMs": figure("scores kept", duration),
};

const LESS_GUARDED: Meaning = ["looser", "less is held back"];
const MORE_GUARDED: Meaning = ["stricter", "more is held back"];
/** What a larger number does. */
const LETS_MORE = { more: LESS_GUARDED, less: MORE_GUARDED };
const HOLDS_MORE = { more: MORE_GUARDED, less: LESS_GUARDED };

const ADOPTION_ROWS: Rows = {
  "adoption.newPagesMax": amount("new pages allowed", plain, LETS_MORE),
  "adoption.canaryMs": amount("tried on one process for", duration, HOLDS_MORE),
  "adoption.probationMs": amount("watched for", duration, HOLDS_MORE),
  "adoption.stormPages": amount("pages until it goes back", plain, LETS_MORE),
  "adoption.retentionMargin": amount("rows beyond the preview", percent, LETS_MORE),
};

export const RUNTIME_ROWS: Rows = {
  ...WORKER_ROWS,
  ...HEALING_ROWS,
  ...RETENTION_ROWS,
  ...SCHEDULE_ROWS,
  ...FLAG_ROWS,
  ...ADOPTION_ROWS,
};
