/**
 * Tells people about a run from its executor: the words of its living message, as rows that others post, and
 * notes on its incident. While it runs, telling is a courtesy that must not stop it; of its end they must
 * learn, so that is tried again.
 */
import type { Clock } from "../../base/clock.js";
import { DAY_MS } from "../../base/duration.js";
import { type Fault, fault, toFault } from "../../base/fault.js";
import type { JobContext } from "../../job/port.js";
import type { Runbook } from "../../runbook/define.js";
import type { Incidents } from "../../runbook/port.js";
import type { Run, RunEnding } from "../../runbook/run.js";
import { endingNote, startNote, waitingNote } from "../../runbook/telling.js";
import type { Database } from "../../store/database.js";
import { readRunLines } from "../../store/run-lines.js";
import { readSteps } from "../../store/run-steps.js";
import { readApprovalAsked, tellOutput, tellRun } from "../../store/run-telling.js";

export interface TellingDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly incidents: Incidents | null;
}

/** Slack allows about 50 edits a minute; many runs share them. */
const WORD_EVERY_MS = 2_500;
/** Between two tries to tell how a run ended. */
const RETELL_MS = 15_000;
/** After a day without PagerDuty nobody waits for the word any more; the run's row has it. */
const NEWS_MS = DAY_MS;
/** Newest lines of progress that are shown. */
const LINES_MAX = 12;
/** Of what a run printed, as far as it was kept. */
const OUTPUT_LINES_MAX = 5_000;

export class RunTeller {
  readonly #deps: TellingDeps;
  readonly #runbook: Runbook | null;
  readonly #context: JobContext;
  #run: Run;
  #lines: string[] = [];
  #word: Promise<void> | null = null;
  #noMoreWords = new AbortController();

  constructor(deps: TellingDeps, run: Run, runbook: Runbook | null, context: JobContext) {
    this.#deps = deps;
    this.#run = run;
    this.#runbook = runbook;
    this.#context = context;
  }

  /** Does not wait for it: a PagerDuty that takes its time must not hold up what heals. */
  started(run: Run): void {
    this.#run = run;
    this.#word = this.#tellStart(run);
  }

  async #tellStart(run: Run): Promise<void> {
    await this.#try(() => this.#show([]));
    await this.#try(() => this.#note("started", startNote(run)));
    this.#word = null;
  }

  async waiting(line: string): Promise<void> {
    await this.#try(() => this.#show([line]));
  }

  /** It waits for people: those at its incident learn whom it waits for. */
  async parked(run: Run): Promise<void> {
    this.#run = run;
    await this.#try(async () => {
      const asked = await readApprovalAsked(this.#deps.db, run.seq);
      if (asked) await this.#note(`waiting:${asked.nonce}`, waitingNote(run, asked));
    });
  }

  /** Coalesced into one word every few seconds. */
  progress(line: string): void {
    this.#lines = [...this.#lines, line].slice(-LINES_MAX);
    if (this.#run.chat === null || this.#noMoreWords.signal.aborted) return;
    this.#word ??= this.#wordSoon();
  }

  async #wordSoon(): Promise<void> {
    await this.#deps.clock.sleep(WORD_EVERY_MS, this.#noMoreWords.signal);
    if (!this.#noMoreWords.signal.aborted) await this.#try(() => this.#show(this.#lines));
    this.#word = null;
  }

  /** No word is under way or will come: what is shown next stays. */
  async settle(): Promise<void> {
    this.#noMoreWords.abort();
    await this.#word;
  }

  /** Throws a waiting fault while trying again may help: an outage of PagerDuty burns no attempt of the run's job. */
  async ended(run: Run, ending: RunEnding): Promise<void> {
    await this.settle();
    this.#run = run;
    const { db } = this.#deps;
    const lines = await readRunLines(db, run.seq, 0, OUTPUT_LINES_MAX);
    await db.transaction(async (tx) => {
      await tellRun(tx, run, { runbook: this.#runbook });
      await tellOutput(tx, run, lines);
    });
    const failed = await this.#try(async () => {
      const evidence = {
        steps: await readSteps(db, run.seq),
        lines: lines.map(({ text }) => text),
      };
      await this.#note(ending.status, endingNote(run, ending, this.#runbook, evidence));
    });
    const isHopeful = failed?.kind === "transient" || failed?.kind === "waiting";
    if (failed && isHopeful && this.#isNews(run)) throw notTold(run, failed);
  }

  #isNews({ endedAt }: Run): boolean {
    return endedAt === null || this.#context.now().getTime() - endedAt.getTime() < NEWS_MS;
  }

  async #show(lines: readonly string[]): Promise<void> {
    await tellRun(this.#deps.db, this.#run, { lines, runbook: this.#runbook });
  }

  async #note(what: string, text: string): Promise<void> {
    const { incidents } = this.#deps;
    const { incidentId, id } = this.#run;
    if (incidents && incidentId)
      await incidents.addNote(incidentId, text, `${id}:${what}`, this.#context.signal);
  }

  async #try(tell: () => Promise<void>): Promise<Fault | null> {
    try {
      await tell();
      return null;
    } catch (thrown) {
      const told = toFault(thrown);
      this.#context.log.warn("run.telling-failed", {
        run_id: this.#run.id,
        code: told.code,
        error: told.message,
      });
      return told;
    }
  }
}

function notTold(run: Run, cause: Fault): Fault {
  return fault.waiting("RUN_NOT_TOLD", `${run.id} ended, and ${cause.message}`, {
    cause,
    retryAfterMs: Math.max(cause.retryAfterMs ?? 0, RETELL_MS),
  });
}
