/** `jobs retry-all | cancel-all`: what the API does in bulk, from the terminal: first a count, then the act. */
import { systemClock } from "../base/clock.js";
import {
  type BulkAction,
  type BulkAsked,
  confirmToken,
  readConfirmToken,
  spacingMs,
} from "../job/bulk.js";
import type { Database } from "../store/database.js";
import { countBulk, runBulk } from "../store/job-bulk.js";
import type { JobFilter } from "../store/job-filter.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK, type Verb } from "./command.js";
import { FILTER_OPTIONS, FILTER_USAGE, readFilter } from "./job-filter.js";
import { withDatabase } from "./settings.js";

interface Act extends BulkAsked {
  /** What `asked.filter` means now. */
  readonly meant: JobFilter;
  readonly reason: string;
}

export function bulkVerb(action: BulkAction): Verb {
  return {
    usage: `jobs ${action}-all ${FILTER_USAGE} --reason TEXT [--confirm TOKEN]`,
    does: `count the jobs that match, or ${action} them once the count is confirmed`,
    run: async (args, io) => {
      const { values } = parseCommandLine(args, {
        ...FILTER_OPTIONS,
        reason: { type: "string" },
        confirm: { type: "string" },
      });
      const { reason, confirm, ...filter } = values;
      if (reason === undefined) throw new UsageError("--reason is missing: it goes to the audit");
      if (Object.keys(filter).length === 0) {
        throw new UsageError("which jobs? name at least one of their properties");
      }
      const meant = readFilter(filter, systemClock.now());
      const act = { action, filter: { ...filter }, meant, reason };
      return withDatabase(io, (db) =>
        confirm === undefined ? count(db, act, io) : run(db, act, confirm, io),
      );
    },
  };
}

const DONE = { retry: "retried", cancel: "cancelled" } as const;

async function count(db: Database, act: Act, io: CommandIo): Promise<number> {
  const { skipped, ...found } = await countBulk(db, { action: act.action, filter: act.meant });
  io.out(`${found.count} jobs would be ${DONE[act.action]}`);
  const left = Object.entries(skipped).map(([status, jobs]) => `${jobs} ${status}`);
  if (left.length > 0) io.out(`left alone: ${left.join(", ")}`);
  if (found.count > 0) io.out(`to do it, add: --confirm ${confirmToken(act, found)}`);
  return EXIT_OK;
}

async function run(db: Database, act: Act, confirm: string, io: CommandIo): Promise<number> {
  const confirmed = readConfirmToken(confirm, act);
  if (confirmed === null) {
    throw new UsageError(
      `--confirm: found "${confirm}", expected what the count of these answered`,
    );
  }
  const { acted, stopped } = await runBulk(db, {
    ...{ action: act.action, filter: act.meant, asked: act.filter, confirmed, reason: act.reason },
    actor: io.actor,
    startAt: systemClock.now(),
    spacingMs: spacingMs(confirmed.count, undefined),
    isOver: () => false,
  });
  io.out(`${DONE[act.action]} ${acted} jobs`);
  if (stopped === null) return EXIT_OK;
  io.err(`more jobs match by now than the ${confirmed.count} that were confirmed: count again`);
  return EXIT_FAILED;
}
