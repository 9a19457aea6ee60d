/**
 * Tells people about a run: one message that lives with it, and notes on its incident. While it runs,
 * telling is a courtesy that must not stop it; of its end they must learn, so that is tried again.
 */
import type { Clock } from "../../base/clock.js";
import { DAY_MS } from "../../base/duration.js";
import { type Fault, fault, toFault } from "../../base/fault.js";
import type { JobContext } from "../../job/port.js";
import type { Message } from "../../message/message.js";
import type { Runbook } from "../../runbook/define.js";
import type { Chat, Incidents } from "../../runbook/port.js";
import type { ChatPlace, Run, RunEnding } from "../../runbook/run.js";
import { endingMessage, endingNote, progressMessage, startNote } from "../../runbook/telling.js";
import type { Database } from "../../store/database.js";
import { keepChat } from "../../store/runs.js";

export interface TellingDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly chat: Chat | null;
  readonly incidents: Incidents | null;
}

/** Slack allows about 50 edits a minute; many runs share them. */
const EDIT_EVERY_MS = 2_500;
/** Between two tries to tell how a run ended. */
const RETELL_MS = 15_000;
/** After a day without Slack or PagerDuty nobody waits for the word any more; the run's row has it. */
const NEWS_MS = DAY_MS;
/** Newest lines of progress that are shown. */
const LINES_MAX = 12;

export class RunTeller {
  readonly #deps: TellingDeps;
  readonly #runbook: Runbook | null;
  readonly #context: JobContext;
  #run: Run;
  #place: ChatPlace | null;
  #lines: string[] = [];
  #edit: Promise<void> | null = null;
  #noMoreEdits = new AbortController();

  constructor(deps: TellingDeps, run: Run, runbook: Runbook | null, context: JobContext) {
    this.#deps = deps;
    this.#run = run;
    this.#place = run.chat;
    this.#runbook = runbook;
    this.#context = context;
  }

  /** Does not wait for it: a Slack that takes its time must not hold up what heals. */
  started(run: Run): void {
    this.#run = run;
    this.#edit = this.#tellStart(run);
  }

  async #tellStart(run: Run): Promise<void> {
    await this.#courteously(() => this.#show(progressMessage(run, [])));
    await this.#courteously(() => this.#note("started", startNote(run)));
    this.#edit = null;
  }

  async waiting(line: string): Promise<void> {
    await this.#courteously(() => this.#show(progressMessage(this.#run, [line])));
  }

  /** Coalesced into one edit every few seconds. */
  progress(line: string): void {
    this.#lines = [...this.#lines, line].slice(-LINES_MAX);
    if (this.#place === null || this.#noMoreEdits.signal.aborted) return;
    this.#edit ??= this.#editSoon();
  }

  async #editSoon(): Promise<void> {
    await this.#deps.clock.sleep(EDIT_EVERY_MS, this.#noMoreEdits.signal);
    if (!this.#noMoreEdits.signal.aborted)
      await this.#courteously(() => this.#show(progressMessage(this.#run, this.#lines)));
    this.#edit = null;
  }

  /** No edit is under way or will come: what is shown next stays. */
  async settle(): Promise<void> {
    this.#noMoreEdits.abort();
    await this.#edit;
  }

  /** Throws a waiting fault while trying again may help: an outage of Slack burns no attempt of the run's job. */
  async ended(run: Run, ending: RunEnding): Promise<void> {
    await this.settle();
    const faults = [
      await this.#try(() => this.#show(endingMessage(run, ending, this.#runbook))),
      await this.#try(() => this.#note(ending.status, endingNote(run, ending, this.#runbook))),
    ];
    const hopeful = faults.find((it) => it?.kind === "transient" || it?.kind === "waiting");
    if (hopeful && this.#isNews(run)) {
      throw fault.waiting("RUN_NOT_TOLD", `${run.id} ended, and ${hopeful.message}`, {
        cause: hopeful,
        retryAfterMs: Math.max(hopeful.retryAfterMs ?? 0, RETELL_MS),
      });
    }
  }

  #isNews({ endedAt }: Run): boolean {
    return endedAt === null || this.#context.now().getTime() - endedAt.getTime() < NEWS_MS;
  }

  async #show(message: Message): Promise<void> {
    const { chat, db } = this.#deps;
    const { signal } = this.#context;
    if (!chat || !this.#place) return;
    const { channel, ts } = this.#place;
    if (ts !== null) return chat.update({ channel, ts }, message, signal);
    this.#place = await chat.post(channel, message, signal);
    await keepChat(db, this.#run.seq, this.#place);
  }

  async #note(what: string, text: string): Promise<void> {
    const { incidents } = this.#deps;
    const { incidentId, id } = this.#run;
    if (incidents && incidentId)
      await incidents.addNote(incidentId, text, `${id}:${what}`, this.#context.signal);
  }

  async #courteously(tell: () => Promise<void>): Promise<void> {
    await this.#try(tell);
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
