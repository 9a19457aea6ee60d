/** The task `report` of maintenance: what takes room, what is bloated, what is broken, and what nobody reads. */
import { DAY_MS } from "../../base/duration.js";
import type { JsonObject } from "../../base/json.js";
import type { Sql } from "../../store/database.js";
import {
  listLargestTables,
  listUnusedIndexes,
  readStatisticsSince,
} from "../../store/index-usage.js";
import { HOT_TABLES, listIndexes } from "../../store/maintenance.js";
import { addReport } from "../../store/maintenance-reports.js";
import { INDEX_FLOOR_BYTES, type IndexSize, readIndexSizes } from "../../store/table-health.js";

/** An index this many times as large as its entries need is named. */
const BLOAT_FACTOR = 4;

export interface IndexReportDeps {
  readonly sql: Sql;
  readonly now: Date;
  /** Days that statistics must go back before an index counts as unread (workload.yaml). */
  readonly unusedIndexDays: number;
}

export async function reportIndexes(deps: IndexReportDeps): Promise<JsonObject> {
  const { sql, now, unusedIndexDays } = deps;
  const since = await readStatisticsSince(sql);
  const isTelling = now.getTime() - since.getTime() >= unusedIndexDays * DAY_MS;
  const invalid = (await listIndexes(sql)).filter(({ isValid }) => !isValid);
  const facts = {
    tables: (await listLargestTables(sql)).map(({ table, liveRows, deadRows, bytes }) => {
      return { table, live_rows: liveRows, dead_rows: deadRows, bytes };
    }),
    indexes_bloated: (await listBloated(sql)).map(({ qualified, bytes, neededBytes }) => {
      return { index: qualified, bytes, needed_bytes: Math.round(neededBytes) };
    }),
    indexes_invalid: invalid.map(({ qualified }) => qualified),
    // Too early to tell: what is read once a month would be in it.
    indexes_unread: isTelling
      ? (await listUnusedIndexes(sql)).map(({ qualified, bytes }) => ({ index: qualified, bytes }))
      : null,
    reads_counted_since: since.toISOString(),
  };
  await addReport(sql, { kind: "report", at: now, ok: invalid.length === 0, facts });
  return facts;
}

async function listBloated(sql: Sql): Promise<IndexSize[]> {
  const sizes: IndexSize[] = [];
  for (const table of HOT_TABLES) sizes.push(...(await readIndexSizes(sql, table)));
  return sizes
    .filter((one) => one.bytes > BLOAT_FACTOR * Math.max(one.neededBytes, INDEX_FLOOR_BYTES))
    .sort((a, b) => b.bytes - a.bytes);
}
