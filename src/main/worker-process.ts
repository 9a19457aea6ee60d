/** One worker process: what `serve --role worker --lane …` runs, and what the supervisor starts. */

import { reapProgram } from "../adapter/reap.js";
import { type Close, openInOrder } from "../base/open-in-order.js";
import type { Lane } from "../job/kinds.js";
import { createBorrower } from "../runtime/borrower.js";
import { chatPosterTicks } from "../runtime/chat-poster.js";
import { parentLink } from "../runtime/parent-link.js";
import { tidyExecutorTick } from "../runtime/tick/tidy-executor.js";
import { runTicks, type Tick } from "../runtime/ticker.js";
import { createWorker } from "../runtime/worker.js";
import { openCaching, ownMemory } from "./caching.js";
import { type Foundation, leaveFollowers, ticksOfEveryProcess } from "./foundation.js";
import { createHandlers } from "./handlers.js";
import { createRegistry } from "./kinds.js";
import { createPorts, type Ports } from "./ports.js";
import { loadRunbooks } from "./runbooks.js";

export interface WorkerProcess {
  readonly id: string;
  /** Drains, gives back what is left, and ends. Safe to call twice. */
  stop(): Promise<void>;
}

export interface WorkerProcessOptions {
  readonly lane: Lane;
  readonly kinds: readonly string[] | null;
  /** The process must end now; what it held is healed by others. */
  readonly onFatal: (why: string) => void;
}

/** Milliseconds that running jobs get to end by themselves. None do in a process that must end: they run again elsewhere. */
export const DRAIN_MS = 10_000;

/** What was opened is closed whatever goes wrong with the rest: a process that ends must not stand about. */
export async function startWorkerProcess(
  foundation: Foundation,
  options: WorkerProcessOptions,
): Promise<WorkerProcess> {
  const { id, close } = await openInOrder((opened) => open(foundation, options, opened));
  return { id, stop: close };
}

async function open(
  foundation: Foundation,
  options: WorkerProcessOptions,
  opened: Close[],
): Promise<Pick<WorkerProcess, "id">> {
  const { config } = foundation;
  const link = parentLink();
  opened.push(async () => link.release());
  // Only work of the general lane reads or forgets what is cached.
  const caching =
    options.lane === "general"
      ? await openCaching(foundation, "worker")
      : ownMemory(foundation.clock);
  opened.push(() => caching.close());
  const borrower = link.parentPid === null ? null : createBorrower(link, foundation.clock);
  const ports = createPorts(foundation, caching.cache, borrower);
  const handlers = createHandlers(foundation, ports, await loadRunbooks());
  let drainMs = DRAIN_MS;
  const onFatal = (why: string) => {
    drainMs = 0;
    options.onFatal(why);
  };
  const worker = createWorker({
    ...foundation,
    ...options,
    databaseUrl: foundation.directUrl,
    onFatal,
    databaseSsl: config.database.ssl,
    registry: createRegistry(),
    handlers,
    globalCap: config.orchestrator.maxConcurrentJobs,
    pollMaxMs: config.orchestrator.pollIntervalMs,
    drainMs,
    parentPid: link.parentPid,
    evidenceDir: foundation.evidenceDir,
  });
  opened.push(
    watch(foundation, [
      ...ticksOfEveryProcess(foundation),
      ...postingOf(foundation, ports, options.lane),
      ...tidyingOf(foundation, options.lane),
    ]),
  );
  opened.push(() => worker.stop(drainMs));
  const { id } = await worker.start();
  link.tellRegistered(id);
  link.onGone(() => onFatal("the supervisor is gone"));
  return { id };
}

function watch(foundation: Foundation, ticks: readonly Tick[]): Close {
  const watching = new AbortController();
  const watched = runTicks(ticks, foundation, watching.signal);
  return async () => {
    watching.abort();
    await watched;
    await leaveFollowers(foundation);
  };
}

/** What a dead executor left is ended here: programs that still run, and roles of runs that are over. */
function tidyingOf(foundation: Foundation, lane: Lane): Tick[] {
  return lane === "executor" ? [tidyExecutorTick({ ...foundation, reap: reapProgram })] : [];
}

/** What runs say in chat is posted by those who have nothing better to do than the rest of the runtime. */
function postingOf({ db, clock, log }: Foundation, { chat }: Ports, lane: Lane): Tick[] {
  return chat === null || lane === "general" ? [] : chatPosterTicks({ db, chat, clock, log });
}
