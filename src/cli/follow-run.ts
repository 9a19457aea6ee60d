/** Tells a run to the person who asked for it, step by step, until it ends or nobody is left to end it. */
import { systemClock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { toPlain } from "../message/plain.js";
import type { Runbook } from "../runbook/define.js";
import { isFinal, type Run, type StepRecord } from "../runbook/run.js";
import { endingMessage } from "../runbook/telling.js";
import type { Database } from "../store/database.js";
import { readSteps } from "../store/run-steps.js";
import { readRun } from "../store/runs.js";
import { type CommandIo, EXIT_FAILED, EXIT_OK } from "./command.js";
import { nobodyWorks } from "./liveness.js";

const LOOK_MS = 200;
/** How long nothing may be new before the person is told what is being waited for. */
const SILENCE_MS = 10_000;

/** Returns the exit code: 0 only when the run succeeded. */
export async function followRun(
  db: Database,
  run: Run,
  runbook: Runbook,
  io: CommandIo,
): Promise<number> {
  const told = new Set<string>();
  let saidAtMs = systemClock.now().getTime();
  for (;;) {
    const now = await readRun(db, run.id);
    if (!now) throw fault.critical("RUN_VANISHED", `${run.id} is no longer in the database`);
    const steps = await readSteps(db, now.seq);
    for (const line of steps.filter(({ status }) => status !== "running").map(stepLine)) {
      if (told.has(line)) continue;
      told.add(line);
      io.out(line);
      saidAtMs = systemClock.now().getTime();
    }
    if (isFinal(now.status)) return tellEnd(now, runbook, io);
    if (systemClock.now().getTime() - saidAtMs > SILENCE_MS) {
      if (await tellSilence(db, now, steps, io)) return EXIT_FAILED;
      saidAtMs = systemClock.now().getTime();
    }
    await systemClock.sleep(LOOK_MS);
  }
}

function stepLine({ phase, name, status, error }: StepRecord): string {
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
  const why = await nobodyWorks(db, "runbook");
  if (why !== null) {
    io.err(`${run.id} is ${run.status} and goes on when a worker is there: ${why}`);
    return true;
  }
  const at = steps.find(({ status }) => status === "running");
  io.progress(`  still ${at ? `at ${at.phase === at.name ? at.phase : at.name}` : run.status}`);
  return false;
}

function tellEnd(run: Run, runbook: Runbook, io: CommandIo): number {
  const { status, outcome, output } = run;
  if (!isFinal(status)) return EXIT_FAILED;
  const message = endingMessage(run, { status, outcome: outcome ?? status, output }, runbook);
  // The next step is said in the words of chat; here the same is a command of this bin.
  const text = toPlain(message).replaceAll("/algobrain ", "algobrain runbook run ");
  for (const line of text.split("\n")) io.out(line);
  return status === "succeeded" ? EXIT_OK : EXIT_FAILED;
}
