/**
 * What makes a queue in Postgres slow by and by: an old snapshot, dead rows that nobody takes away, bloated
 * indexes; and quarantined jobs, which wait for a person (HB-heal-03) until retention takes them.
 */
import { DAY_MS, MINUTE_MS } from "../../base/duration.js";
import type { Logger } from "../../base/log.js";
import { type PolicySet, RETENTION_DEFAULTS } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import { countExpired } from "../../store/retention.js";
import { readQuarantineAge } from "../../store/runtime-samples.js";
import {
  INDEX_FLOOR_BYTES,
  listSnapshotHolders,
  readIndexSizes,
  readVacuumNeeds,
  type SnapshotHolder,
} from "../../store/table-health.js";
import { gauge, type SampleSource } from "./source.js";

export interface TableHealthOptions {
  readonly sql: Sql;
  readonly policy: () => PolicySet;
  readonly log: Logger;
}

/** A metric has no room for names: from this age on the log says who holds the snapshot, once a holder. */
const TELL_FROM_MS = 5 * MINUTE_MS;

export function tableHealthSource({ sql, policy, log }: TableHealthOptions): SampleSource {
  const ages = new SnapshotAges();
  const told = new Set<string>();
  return {
    name: "table-health",
    collect: async (now) => {
      const looks = [listSnapshotHolders(sql), readQuarantineAge(sql)] as const;
      const [holders, quarantineAge] = await Promise.all(looks);
      const oldest = ages.oldest(holders, now);
      if (oldest && oldest.heldMs >= TELL_FROM_MS && !told.has(keyOf(oldest))) {
        told.add(keyOf(oldest));
        log.warn("database.snapshot-old", { ...oldest });
      }
      const [jobs] = await readVacuumNeeds(sql, ["public.jobs"]);
      const indexes = await readIndexSizes(sql, "public.jobs");
      const needed = indexes.map(({ neededBytes }) => Math.max(neededBytes, INDEX_FLOOR_BYTES));
      return [
        ...gauge("algobrain.db.oldest_snapshot_age", (oldest?.heldMs ?? 0) / 1_000, now),
        ...gauge("algobrain.db.jobs_dead_rows", jobs?.deadRows ?? null, now),
        ...gauge("algobrain.db.jobs_live_rows", jobs?.liveRows ?? null, now),
        ...gauge("algobrain.db.jobs_vacuum_at_rows", jobs?.vacuumAtRows ?? null, now),
        ...gauge("algobrain.db.jobs_vacuum_overdue", jobs ? overdueS(jobs) : null, now),
        ...gauge("algobrain.db.jobs_index_bytes", sum(indexes.map(({ bytes }) => bytes)), now),
        ...gauge("algobrain.db.jobs_index_needed_bytes", sum(needed), now),
        ...gauge(
          "algobrain.jobs.quarantine_expiring",
          await countExpiring(sql, policy(), now),
          now,
        ),
        ...gauge("algobrain.jobs.quarantine_oldest_age", quarantineAge, now),
      ];
    },
  };
}

/** Zero while too few rows are dead for a vacuum to come: an idle table goes without for weeks. */
function overdueS(jobs: {
  readonly deadRows: number;
  readonly vacuumAtRows: number;
  readonly unvacuumedMs: number;
}): number {
  return jobs.deadRows > jobs.vacuumAtRows ? jobs.unvacuumedMs / 1_000 : 0;
}

/** By the predicate of their deletion, asked as if it were some days later. */
function countExpiring(sql: Sql, { retention }: PolicySet, now: Date): Promise<number> {
  const { quarantinedJobsDays, quarantinedJobsWarnDays } = { ...RETENTION_DEFAULTS, ...retention };
  const days = quarantinedJobsDays - (quarantinedJobsWarnDays ?? 0);
  return countExpired(sql, "quarantined_jobs", new Date(now.getTime() - days * DAY_MS));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

export type AgedHolder = SnapshotHolder & { readonly heldMs: number };

/** How long each holder has been at it. Of slots the server knows no time: as long as we have seen it stand still. */
export class SnapshotAges {
  #since = new Map<string, number>();

  /** Null when nobody holds any. */
  oldest(holders: readonly SnapshotHolder[], now: Date): AgedHolder | null {
    const since = new Map<string, number>();
    const aged = holders.map((holder): AgedHolder => {
      const key = keyOf(holder);
      since.set(key, this.#since.get(key) ?? now.getTime());
      return { ...holder, heldMs: holder.heldMs ?? now.getTime() - since.get(key)! };
    });
    this.#since = since;
    return aged.reduce<AgedHolder | null>(
      (oldest, holder) => (oldest && oldest.heldMs >= holder.heldMs ? oldest : holder),
      null,
    );
  }
}

function keyOf({ kind, name, pid, horizon }: SnapshotHolder): string {
  return `${kind} ${name} ${pid ?? ""} ${horizon}`;
}
