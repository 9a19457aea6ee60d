/** The game day: a private instance, five acts, and a verdict that rests on what was read back from state. */
import { copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import { drainBacklog } from "./act-backlog.js";
import { refuseForgeries } from "./act-forgery.js";
import { indexThisCheckout } from "./act-index.js";
import { killWorker } from "./act-kill.js";
import { correctQuarantined } from "./act-quarantine.js";
import { type Act, type Stage, setStage } from "./stage.js";
import { type Claim, seconds, Timeline } from "./timeline.js";

export interface GameDayOptions {
  readonly packageRoot: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (line: string) => void;
  /** Where the instance's log is copied to; null: only when the game day fails. */
  readonly logFile: string | null;
}

export interface GameDayReport {
  readonly ok: boolean;
  readonly claims: readonly Claim[];
  readonly elapsedMs: number;
  /** Why it ended early. */
  readonly failure: string | null;
}

const ACTS: readonly Act[] = [
  indexThisCheckout,
  correctQuarantined,
  killWorker,
  drainBacklog,
  refuseForgeries,
];

/** Never throws: what went wrong is in the report. Everything it started has ended when it resolves. */
export async function runGameDay(options: GameDayOptions): Promise<GameDayReport> {
  const timeline = new Timeline(systemClock, options.out);
  let stage: Stage | null = null;
  let failure: string | null = null;
  try {
    options.out(
      "game day: a private instance with stand-ins for Slack and PagerDuty on this machine",
    );
    stage = await setStage({
      ...options,
      onFatal: (why) => options.out(`the instance ended: ${why}`),
    });
    introduce(stage, timeline, options.out);
    for (const act of ACTS) await act(stage, timeline);
  } catch (error) {
    failure = errorMessage(error);
  }
  if (stage) await leave(stage, options, failure);
  return conclude(timeline, failure, options.out);
}

function introduce(
  { runtime, overlay }: Stage,
  timeline: Timeline,
  out: (line: string) => void,
): void {
  out(`  ${runtime.database}`);
  out(
    `  listens on ${runtime.url}, policy ${runtime.foundation.policyHolder.inForce().digest.slice(0, 12)}, under this overlay:`,
  );
  for (const line of overlay) out(`    ${line}`);
  out(`  ready after ${seconds(timeline.elapsedMs)}`);
}

async function leave(stage: Stage, options: GameDayOptions, failure: string | null): Promise<void> {
  const kept =
    options.logFile ??
    (failure === null ? null : join(tmpdir(), `algobrain-gameday-${process.pid}.log`));
  if (kept !== null) {
    await copyFile(stage.logFile, kept);
    options.out(`the instance's log: ${kept}`);
  }
  await stage.close();
}

function conclude(
  timeline: Timeline,
  failure: string | null,
  out: (line: string) => void,
): GameDayReport {
  const { claims, elapsedMs } = timeline;
  const proven = claims.filter(({ evidence }) => evidence !== null).length;
  out("");
  if (failure !== null) out(`FAILED after ${seconds(elapsedMs)}: ${failure}`);
  else out(`all ${proven} claims verified by reading state, in ${seconds(elapsedMs)}`);
  return { ok: failure === null, claims, elapsedMs, failure };
}
