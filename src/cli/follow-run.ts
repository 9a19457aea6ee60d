/** Tells a run to the person who asked for it, step by step, until it ends or nobody is left to end it. */
import { systemClock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { toPlain } from "../message/plain.js";
import type { Runbook } from "../runbook/define.js";
import type { RunNews } from "../runbook/feed.js";
import { isFinal, type Run, type StepRecord } from "../runbook/run.js";
import { endingMessage } from "../runbook/telling.js";
import type { Database } from "../store/database.js";
import { readRunLines } from "../store/run-lines.js";
import { readSteps } from "../store/run-steps.js";
import { readRun } from "../store/runs.js";
import { RunEvents } from "../web/run-events.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "./command.js";
import { nobodyWorks } from "./liveness.js";

const LOOK_MS = 200;
const LINES_MAX = 500;
/** How long nothing may be new before the person is told what is being waited for. */
const SILENCE_MS = 10_000;

export interface Following {
  readonly runbook: Runbook;
  /** One event a line, as the API streams them (GET /api/v1/runs/:id/stream). */
  readonly json: boolean;
}

/** Returns the exit code: 0 only when the run succeeded. */
export async function followRun(
  db: Database,
  run: Run,
  { runbook, json }: Following,
  io: CommandIo,
): Promise<number> {
  const teller = json ? new JsonTeller(io) : new TextTeller(io);
  let saidAtMs = systemClock.now().getTime();
  for (;;) {
    const now = await readRun(db, run.id);
    if (!now) throw fault.critical("RUN_VANISHED", `${run.id} is no longer in the database`);
    const steps = await readSteps(db, now.seq);
    const lines = json ? await readRunLines(db, now.seq, teller.lastLine, LINES_MAX) : [];
    if (teller.tell({ run: now, steps, lines })) saidAtMs = systemClock.now().getTime();
    if (isFinal(now.status) && lines.length < LINES_MAX)
      return json ? exitCodeOf(now) : tellEnd(now, runbook, io);
    if (systemClock.now().getTime() - saidAtMs > SILENCE_MS) {
      if (await tellSilence(db, now, steps, io)) return EXIT_FAILED;
      saidAtMs = systemClock.now().getTime();
    }
    await systemClock.sleep(LOOK_MS);
  }
}

interface Teller {
  readonly lastLine: number;
  /** Whether anything was new. */
  tell(news: RunNews): boolean;
}

class JsonTeller implements Teller {
  readonly #io: CommandIo;
  readonly #events = new RunEvents();
  lastLine = 0;

  constructor(io: CommandIo) {
    this.#io = io;
  }

  tell(news: RunNews): boolean {
    const events = this.#events.next(news);
    for (const { event, data } of events) this.#io.out(JSON.stringify({ event, data }));
    this.lastLine = news.lines.at(-1)?.lineNo ?? this.lastLine;
    return events.length > 0;
  }
}

class TextTeller implements Teller {
  readonly #io: CommandIo;
  readonly #told = new Set<string>();
  readonly lastLine = 0;

  constructor(io: CommandIo) {
    this.#io = io;
  }

  tell({ run, steps }: RunNews): boolean {
    const done = steps.filter(({ status }) => status !== "running").map(stepLine);
    // A terminal's user has no name that can be proven: who agrees does it where one can.
    const asks =
      run.waitingFor === null
        ? []
        : [`  waits for approval, in Slack: /algobrain approve ${run.id}`];
    const fresh = [...done, ...asks].filter((line) => !this.#told.has(line));
    for (const line of fresh) {
      this.#told.add(line);
      this.#io.out(line);
    }
    return fresh.length > 0;
  }
}

export function stepLine({ phase, name, status, error }: StepRecord): string {
  const what = phase === name ? "" : `${name}: `;
  return `  ${phase.padEnd(6)}  ${what}${status}${error ? ` (${error})` : ""}`;
}

/** True when there is nothing left to wait for. */
async function tellSilence(
  db: Database,
  run: Run,
  steps: readonly StepRecord[],
  io: CommandIo,
): Promise<boolean> {
  // What waits for people needs no worker meanwhile.
  const why = run.waitingFor === null ? await nobodyWorks(db, "runbook") : null;
  if (why !== null) {
    io.err(`${run.id} is ${run.status} and goes on when a worker is there: ${why}`);
    return true;
  }
  const at = steps.find(({ status }) => status === "running");
  const waits = run.waitingFor === null ? run.status : `waiting for ${run.waitingFor}`;
  io.progress(`  still ${at ? `at ${at.phase === at.name ? at.phase : at.name}` : waits}`);
  return false;
}

function tellEnd(run: Run, runbook: Runbook, io: CommandIo): number {
  const { status, outcome, output } = run;
  if (!isFinal(status)) return EXIT_FAILED;
  const message = endingMessage(run, { status, outcome: outcome ?? status, output }, runbook);
  // The next step is said in the words of chat; here the same is a command of this bin.
  const text = toPlain(message).replaceAll("/algobrain ", "algobrain runbook run ");
  for (const line of text.split("\n")) io.out(line);
  return exitCodeOf(run);
}

function exitCodeOf({ status }: Run): number {
  return status === "succeeded" ? EXIT_OK : EXIT_FAILED;
}
