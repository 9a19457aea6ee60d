/** Fills in what is missing of a range of days, below all live work (RB-38, HB-op-47, HB-api-10). */
import { DAY_MS, HOUR_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { defineRunbook, Type } from "../src/runbook/define.js";
import { jobVerdict, submitStep } from "../src/runbook/followed-job.js";

const ASK = "put the backfill in";
/** A year of a hundred repositories is 36,500 jobs. */
const FOLLOWED_MS = 12 * HOUR_MS;
const DAYS_MAX = 731;

const Day = (description: string) =>
  Type.String({ pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description });

type Params = { entity: string; start: string; end: string; reason: string };

export default defineRunbook({
  name: "run-backfill",
  aliases: ["backfill"],
  title: "Fills in the scores or events that a range of days lacks",
  danger: "V",
  params: Type.Object(
    {
      entity: Type.String({ enum: ["scores", "events"], description: "scores or events" }),
      start: Day("the first day, such as 2026-01-01"),
      end: Day("the last day, included"),
      reason: Type.String({
        minLength: 1,
        maxLength: 500,
        default: "days are missing",
        description: "why, in up to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["entity", "start", "end"],
  locks: ({ entity }) => [`backfill-${entity}`],
  timeoutMs: FOLLOWED_MS + HOUR_MS,
  touches: { database: ["jobs:read", "workload:read", "jobs:submit", "jobs:cancel"] },
  // What is asked for by then is worth having.
  undoOnFailure: "asked",
  guide:
    "Days that have a score already are left as they are, and live work goes first: it may take hours. Look at it with backfill-progress; to stop it, cancel its job.",
  plan: async ({ params, workload, now }) => {
    const days = daysOf(params, now());
    const open = (await workload.backfills({ sinceMs: 7 * DAY_MS, jobId: null })).find(
      ({ entity, finishedAt, status }) =>
        entity === params.entity &&
        finishedAt === null &&
        (status === "pending" || status === "running"),
    );
    const beside = open
      ? `\n${open.jobId} still fills ${open.entity} from ${open.firstDay} to ${open.lastDay}: this one comes beside it`
      : "";
    return {
      text: `${params.entity} of ${days} days, ${params.start} to ${params.end}${beside}`,
      changes: [`put in one backfill job, which asks for what is missing of these ${days} days`],
    };
  },
  steps: [
    submitStep<Params>(
      ASK,
      ({ params }) => ({
        kind: "backfill",
        payload: { entity: params.entity, start_date: params.start, end_date: params.end },
      }),
      ({ reason }) => reason,
    ),
  ],
  verify: {
    withinMs: () => FOLLOWED_MS,
    everyMs: 5_000,
    check: (context) => jobVerdict(context, ASK),
  },
  next: () => "/algobrain backfill-progress",
});

function daysOf({ start, end }: Params, now: Date): number {
  const [first, last] = [Date.parse(start), Date.parse(end)];
  const refuse = (found: string, hint: string) => fault.refused("RANGE_INVALID", found, { hint });
  if (Number.isNaN(first) || Number.isNaN(last))
    throw refuse(`"${start}" to "${end}" are no days`, "days are written 2026-01-31");
  if (last < first) throw refuse(`${end} is before ${start}`, "the first day comes first");
  if (first > now.getTime()) throw refuse(`${start} has not come yet`, "give days of the past");
  const days = Math.round((last - first) / DAY_MS) + 1;
  if (days > DAYS_MAX) throw refuse(`${days} days are too many`, `at most ${DAYS_MAX} at once`);
  return days;
}
