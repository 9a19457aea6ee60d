/** The lines of a run on their way to its record: written a few times a second, and bounded for the whole run. */
import type { Clock } from "../../base/clock.js";
import { errorMessage } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { Run, StepKey } from "../../runbook/run.js";
import type { LineStream } from "../../runbook/transcript.js";
import type { Sql } from "../../store/database.js";
import { appendRunLines, countRunLines, type NewLine } from "../../store/run-lines.js";

export interface LineKeeperDeps {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly log: Logger;
}

const FLUSH_MS = 250;
const BATCH_MAX = 64;
const LINES_MAX = 5_000;
const CHARACTERS_MAX = 1024 * 1024;
const LINE_CHARACTERS_MAX = 4_000;

export class LineKeeper {
  readonly #deps: LineKeeperDeps;
  readonly #run: Pick<Run, "seq" | "fence" | "id">;
  readonly #closed = new AbortController();
  #waiting: NewLine[] = [];
  #isDue = false;
  /** Resolves when all that was handed over is written, or lost. */
  #written: Promise<void> = Promise.resolve();
  #last: number;
  #characters: number;
  #dropped = 0;
  #lastStep: Pick<StepKey, "phase" | "ordinal"> = { phase: "plan", ordinal: 0 };

  private constructor(
    deps: LineKeeperDeps,
    run: Pick<Run, "seq" | "fence" | "id">,
    kept: { readonly last: number; readonly characters: number },
  ) {
    this.#deps = deps;
    this.#run = run;
    this.#last = kept.last;
    this.#characters = kept.characters;
  }

  /** Goes on after what an earlier executor kept. */
  static async open(
    deps: LineKeeperDeps,
    run: Pick<Run, "seq" | "fence" | "id">,
  ): Promise<LineKeeper> {
    return new LineKeeper(deps, run, await countRunLines(deps.sql, run.seq));
  }

  /** Returns at once. */
  add({ phase, ordinal }: StepKey, stream: LineStream, text: string): void {
    this.#lastStep = { phase, ordinal };
    const cut =
      text.length > LINE_CHARACTERS_MAX ? `${text.slice(0, LINE_CHARACTERS_MAX)} …` : text;
    if (this.#last >= LINES_MAX || this.#characters + cut.length > CHARACTERS_MAX) {
      this.#dropped++;
      return;
    }
    this.#put({ phase, ordinal, stream, text: cut });
    if (this.#waiting.length >= BATCH_MAX) this.#write();
    else if (!this.#isDue) this.#writeSoon();
  }

  /** Writes what is left, with how much was too much. Never throws: the steps' records have the essence. */
  async close(): Promise<void> {
    this.#closed.abort();
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0)
      this.#put({ ...this.#lastStep, stream: "say", text: `… ${dropped} more lines` });
    this.#write();
    await this.#written;
  }

  #put(line: Omit<NewLine, "lineNo">): void {
    this.#last++;
    this.#characters += line.text.length;
    this.#waiting.push({ ...line, lineNo: this.#last });
  }

  #writeSoon(): void {
    this.#isDue = true;
    void this.#deps.clock.sleep(FLUSH_MS, this.#closed.signal).then(() => {
      this.#isDue = false;
      this.#write();
    });
  }

  #write(): void {
    const lines = this.#waiting.splice(0);
    if (lines.length > 0) this.#written = this.#written.then(() => this.#append(lines));
  }

  async #append(lines: readonly NewLine[]): Promise<void> {
    try {
      await appendRunLines(this.#deps.sql, this.#run, lines);
    } catch (thrown) {
      this.#deps.log.warn("run.lines-lost", {
        run_id: this.#run.id,
        lines: lines.length,
        error: errorMessage(thrown),
      });
    }
  }
}
