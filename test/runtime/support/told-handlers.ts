/** Handlers that write down what they do where it outlives their process: line by line, in one file for all. */
import { appendFileSync, readFileSync } from "node:fs";
import { fault } from "../../../src/base/fault.js";
import type { JobHandler } from "../../../src/job/port.js";

export function toldHandlers(journal: string): readonly JobHandler[] {
  const tell = (line: string) => appendFileSync(journal, `${line}\n`);
  return [halfDone(tell, () => readJournal(journal)), deaf(tell, () => readJournal(journal))];
}

export function readJournal(journal: string): string[] {
  return readFileSync(journal, "utf8").split("\n").slice(0, -1);
}

/** Three acts that are undone one by one; the undoing of the second hangs for the first `hangs` times. */
function halfDone(tell: (line: string) => void, told: () => string[]): JobHandler {
  return {
    kind: "ingest",
    run: async ({ compensateWith }) => {
      tell("run");
      for (const step of [1, 2, 3]) await compensateWith("undo", { step });
      throw fault.partial("HALF_DONE", "stopped before step 4");
    },
    compensations: {
      undo: async ({ step }, { job }) => {
        tell(`undo ${step}`);
        const times = told().filter((line) => line === `undo ${step}`).length;
        if (step === 2 && times <= Number(job.payload.hangs)) await new Promise(() => {});
        tell(`undone ${step}`);
      },
    },
  };
}

/** Hears nothing the first time it runs, and goes on for as long as its process lives. */
function deaf(tell: (line: string) => void, told: () => string[]): JobHandler {
  return {
    kind: "export",
    run: async () => {
      const before = told().map((line) => Number(line.split(" ")[1]));
      tell(`pid ${process.pid} beside ${before.filter(lives).length}`);
      if (before.length > 0) return null;
      return new Promise(() => {});
    },
  };
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
