/** What must be so after a simulation, whatever happened: read from the rows, from the journal of moves and from the handlers' own. */
import { expect } from "vitest";
import { verifyAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import type { Run, Undo } from "./world.js";

/** The database's own journal: each move of a job's row, as it was committed. */
export async function watchMoves(db: Database): Promise<void> {
  await db.query(
    `CREATE TABLE seen_move (
       n bigint GENERATED ALWAYS AS IDENTITY, seq bigint, before text, after text,
       fence_before bigint, fence bigint, error text, worker_id text, result jsonb,
       running integer, running_gc integer);
     CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       INSERT INTO seen_move (seq, before, after, fence_before, fence, error, worker_id, result, running, running_gc)
       SELECT NEW.seq, OLD.status, NEW.status, OLD.fence, NEW.fence, NEW.error, NEW.worker_id, NEW.result,
         count(*), count(*) FILTER (WHERE job_type = 'gc')
       FROM jobs JOIN workers w ON w.id = jobs.worker_id AND w.status IN ('alive', 'draining')
       WHERE jobs.status = 'running';
       RETURN NULL;
     END $$;
     CREATE TRIGGER note_move AFTER UPDATE ON jobs FOR EACH ROW
       WHEN (OLD.fence <> NEW.fence) EXECUTE FUNCTION note_move()`,
  );
}

interface Move {
  readonly seq: number;
  readonly before: string;
  readonly after: string;
  readonly fence_before: number;
  readonly fence: number;
  readonly error: string | null;
  readonly worker_id: string | null;
  readonly result: { readonly fence: number } | null;
  /** Over all processes at that moment; what a dead one is said to hold, no handler runs. */
  readonly running: number;
  readonly running_gc: number;
}

interface Row {
  readonly seq: number;
  readonly id: string;
  readonly status: string;
  readonly attempts: number;
  readonly attempts_total: number;
  readonly error: string | null;
}

interface Healing {
  readonly job_id: string;
  readonly strategy: string;
  readonly success: boolean | null;
}

/** Everything that there is to know about one job. */
interface Story {
  readonly row: Row;
  readonly moves: readonly Move[];
  readonly runs: readonly Run[];
  readonly undos: readonly Undo[];
  /** The acts that were declared: twice where the statement arrived twice. */
  readonly declared: readonly string[];
  readonly healing: readonly Healing[];
  readonly audits: number;
}

const byHand = ({ fence, fence_before }: Move) => fence === fence_before + 2;

/** The handlers' own journal. */
interface Seen {
  readonly runs: readonly Run[];
  readonly undos: readonly Undo[];
}

export async function expectPromises(
  db: Database,
  told: ReadonlySet<number>,
  seen: Seen,
  limits: { readonly all: number; readonly gc: number },
): Promise<void> {
  const stories = await readStories(db, seen);
  const there = new Set(stories.map(({ row }) => row.seq));
  expect(
    [...told].filter((seq) => !there.has(seq)),
    "jobs lost",
  ).toEqual([]);
  expect(await verifyAudit(db), "the audit chain").toMatchObject({ ok: true });
  for (const { running, running_gc } of stories.flatMap(({ moves }) => moves)) {
    expect(running, "running at once").toBeLessThanOrEqual(limits.all);
    expect(running_gc, "of gc at once").toBeLessThanOrEqual(limits.gc);
  }
  for (const story of stories) {
    try {
      expectStory(story);
    } catch (error) {
      throw new Error(`${story.row.id}: ${(error as Error).message}\n${tell(story)}`);
    }
  }
}

function expectStory(story: Story): void {
  const { row, moves, audits } = story;
  expect(["completed", "failed", "quarantined", "cancelled"], "it is final").toContain(row.status);
  expectOneCompletion(story);
  expectRuns(story);
  expectRollbacks(story);
  expectHealing(story);
  expect(moves.filter(byHand).length, "audit rows match what operators did").toBe(audits);
  const claims = moves.filter(({ after }) => after === "running");
  expect(
    claims.every(({ worker_id }) => worker_id !== null),
    "each start has its owner",
  ).toBe(true);
  expect(row.attempts_total, "attempts over the whole life").toBe(
    claims.filter(({ before }) => before === "pending").length,
  );
}

/** Between two completions of a job somebody asked for the second. */
function expectOneCompletion({ moves, row }: Story): void {
  let completed = false;
  for (const move of moves) {
    if (move.after === "completed") {
      expect(completed, "completed twice").toBe(false);
      expect(move.before, "only what runs completes").toBe("running");
      completed = true;
    } else if (completed) {
      expect(byHand(move), "a completed job is left alone by the runtime").toBe(true);
      completed = false;
    }
  }
  expect(row.status === "completed", "the row says what the journal says").toBe(completed);
}

/** What counts came from a handler that had ended well, and no two that count overlap. */
function expectRuns({ moves, runs }: Story): void {
  const fences = runs.map(({ fence }) => fence);
  expect(new Set(fences).size, "one start for each claim").toBe(fences.length);
  const claims = new Set(
    moves.filter(({ after }) => after === "running").map(({ fence }) => fence),
  );
  expect(
    fences.every((fence) => claims.has(fence)),
    "no start without its claim",
  ).toBe(true);
  const completions = moves.filter(({ after }) => after === "completed");
  for (const { result, fence_before } of completions) {
    expect(result?.fence, "the result is that of the holder").toBe(fence_before);
  }
  const effective = completions.map(({ fence_before }) =>
    runs.find(({ fence }) => fence === fence_before),
  );
  for (const run of effective) expect(run?.ended, "what completed had ended well").toBe("ok");
  for (const [n, run] of effective.entries()) {
    const next = effective[n + 1];
    if (next) expect(next.startedMs, "effects overlap").toBeGreaterThanOrEqual(run!.endedMs!);
  }
}

/** What is undone is undone once, all of it, and before the handler runs again: however often its worker was killed in it. */
function expectRollbacks({ row, moves, runs, undos, declared }: Story): void {
  for (const undo of undos) {
    // Its end was kept when the next one of the same claim began.
    const next = undos.find((it) => it.fence === undo.fence && it.startedMs > undo.startedMs);
    const same = undos.filter(({ act }) => act === undo.act);
    const again = same.filter(({ startedMs }) => next && startedMs > next.startedMs);
    const others = declared.filter((act) => act === undo.act).slice(1);
    if (again.length > others.length) expect(again, "undone again").toEqual([]);
    const run = runs.find(({ fence }) => fence > undo.fence);
    if (run === undefined && row.status !== "failed") continue;
    const end = moves.find(({ after, fence }) => after === "failed" && fence > undo.fence);
    expect(end?.error, "its rollback ended, and left nothing").toBe(
      "SIMULATED_PARTIAL: as planned",
    );
    if (run !== undefined) expect(end!.fence, "before the handler ran").toBeLessThan(run.fence);
    const ended = same.filter(({ endedMs }) => endedMs !== null);
    expect(ended, "it came to its end").not.toEqual([]);
  }
}

/** One row an action, its outcome filled in, and none for what was no failure. */
function expectHealing({ row, moves, healing }: Story): void {
  const own = moves.filter((move) => move.before === "running" && !byHand(move));
  const count = (strategy: string) => healing.filter((it) => it.strategy === strategy).length;
  const into = (status: string) => own.filter(({ after }) => after === status);
  expect(count("quarantine"), "quarantines logged").toBe(into("quarantined").length);
  for (const { error } of into("quarantined")) expect(error).toMatch(/^SIMULATED_DATA/);
  const failed = into("failed");
  for (const { error } of failed) expect(error).toMatch(/^SIMULATED_PARTIAL/);
  expect(count("rollback"), "rollbacks logged").toBe(failed.length);
  const crashed = (move: Move) => move.error?.startsWith("WORKER_DIED") === true;
  expect(count("restart"), "restarts logged").toBeLessThanOrEqual(
    into("pending").filter(crashed).length,
  );
  expect(count("restart") + count("retry")).toBeLessThanOrEqual(into("pending").length);
  if (row.status !== "completed" || moves.some(byHand)) return;
  expect(
    healing.map(({ success }) => success).filter((it) => it === null),
    "outcomes",
  ).toEqual([]);
}

function tell({ row, moves, runs, undos, declared, healing }: Story): string {
  return [
    JSON.stringify(row),
    `declared: ${declared.join(", ")}`,
    ...[...moves, ...runs, ...undos, ...healing].map((it) => JSON.stringify(it)),
  ].join("\n");
}

async function readStories(db: Database, { runs, undos }: Seen): Promise<Story[]> {
  const read = async <T extends object>(sql: string) => (await db.query<T>(sql)).rows;
  const rows = await read<Row>(
    "SELECT seq, id, status, attempts, attempts_total, error FROM jobs ORDER BY seq",
  );
  const moves = await read<Move>("SELECT * FROM seen_move ORDER BY n");
  const healing = await read<Healing>("SELECT * FROM healdec_log ORDER BY seq");
  const declared = await read<{ job_seq: number; act: string }>(
    "SELECT job_seq, input ->> 'act' AS act FROM control.compensation",
  );
  const audits = await read<{ target: string }>(
    "SELECT target FROM audit_log WHERE action = 'job.changed-by-sql'",
  );
  return rows.map((row) => ({
    row,
    moves: moves.filter(({ seq }) => seq === row.seq),
    runs: runs.filter(({ seq }) => seq === row.seq),
    undos: undos.filter(({ seq }) => seq === row.seq),
    declared: declared.filter(({ job_seq }) => job_seq === row.seq).map(({ act }) => act),
    healing: healing.filter(({ job_id }) => job_id === row.id),
    audits: audits.filter(({ target }) => target === row.id).length,
  }));
}
