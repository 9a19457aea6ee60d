/**
 * An executor in a process of its own that reaches, with a run each, the five points between which a kill may fall,
 * and stays there: whoever kills it then leaves every one of them as it is at that moment.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createPagerDutyIncidents } from "../../src/adapter/pagerduty.js";
import { reapProgram } from "../../src/adapter/reap.js";
import { createShell } from "../../src/adapter/shell.js";
import type { JsonObject } from "../../src/base/json.js";
import { silentLogger } from "../../src/base/log.js";
import type { RunbookRegistry } from "../../src/runbook/registry.js";
import { reapOrphans } from "../../src/runtime/executor/reap.js";
import { processKey } from "../../src/runtime/process-key.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { makeRegistry, makeRunbook, workOn } from "./runbook-world.js";

export const POINTS = [
  "intent written",
  "process started",
  "process ended",
  "result written",
  "notice posted",
] as const;
export type CrashPoint = (typeof POINTS)[number];

export interface CrashPlace {
  readonly databaseUrl: string;
  /** Each effect of a run is a line in a file of its point here. */
  readonly folder: string;
  readonly pagerduty: { readonly apiUrl: string; readonly token: string };
  /** By their point. */
  readonly runs: Readonly<Record<string, string>>;
}

export function effectsFile(folder: string, point: string): string {
  return join(folder, point.replaceAll(" ", "-"));
}

/** Touched when a point is reached that leaves no other trace. */
export function reachedFile(folder: string, point: string): string {
  return `${effectsFile(folder, point)}.reached`;
}

const never = () => new Promise<never>(() => {});

/** The same on both sides: a run is pinned to the digest of its runbook. `stays`: in the process that is to be killed. */
export function crashRunbooks(folder: string, stays: boolean): RunbookRegistry {
  const points = POINTS.map((point) => crashRunbook(folder, point, stays));
  return makeRegistry(...points, manyPresses(folder));
}

/** Steps of the runbook `many-presses`. Of each third run each second one cannot tell whether it took effect. */
export const PRESSES = 6;

/** For kills at any moment: six programs, each a line in the file of the run's note, which take a moment before and after. */
function manyPresses(folder: string) {
  const steps = Array.from({ length: PRESSES }, (_, i) => ({ i, line: `press ${i}` }));
  const fileOf = (params: JsonObject) => effectsFile(folder, `many-${params.note}`);
  const runbook = makeRunbook("many-presses", {
    steps: steps.map(({ i, line }) => ({
      name: line,
      repeat: {
        check: async ({ params }) => {
          if (i % 2 === 1 && Number(params.note) % 3 === 0) return "unknown";
          const file = fileOf(params);
          const isThere = existsSync(file) && readFileSync(file, "utf8").includes(`${line}\n`);
          return isThere ? "done" : "not-done";
        },
      },
      run: async ({ shell, params }) => {
        const pause = `sleep 0.${(Number(params.note) + i) % 3}`;
        const command = `${pause}; echo '${line}' >> '${fileOf(params)}'; ${pause}`;
        await shell.run(["sh", "-c", command]);
        return line;
      },
    })),
  });
  return { ...runbook, touches: { database: [], programs: ["sh"] } };
}

function crashRunbook(folder: string, point: CrashPoint, stays: boolean) {
  const file = effectsFile(folder, point);
  const stayAt = async (here: CrashPoint) => {
    if (!stays || here !== point) return;
    appendFileSync(reachedFile(folder, point), "here\n");
    await never();
  };
  // The program lives on when its executor is killed, until somebody ends it.
  const rest = point === "process started" ? "sleep 300" : "true";
  const runbook = makeRunbook(point.replaceAll(" ", "-"), {
    steps: [
      {
        name: "press the button",
        repeat: "never",
        run: async ({ shell }) => {
          await stayAt("intent written");
          await shell.run(["sh", "-c", `echo pressed >> '${file}'; ${rest}`]);
          await stayAt("process ended");
          return "pressed";
        },
      },
    ],
    verify: {
      withinMs: () => 60_000,
      everyMs: 10,
      check: async () => {
        await stayAt("result written");
        return { state: "passed", text: "the lamp glows" };
      },
    },
  });
  return { ...runbook, touches: { database: [], programs: ["sh"] } };
}

/** Works on a run as an executor does, with the real shell and the real client of PagerDuty. */
export function workOnCrash(
  db: Database,
  place: Omit<CrashPlace, "runs">,
  runId: string,
  stays: boolean,
) {
  const { folder, pagerduty } = place;
  const incidents = createPagerDutyIncidents(pagerduty);
  const world = {
    ...{ db, registry: crashRunbooks(folder, stays) },
    shell: createShell({ redact: (text) => text, keyOf: processKey }),
    incidents: {
      ...incidents,
      addNote: async (...[id, text, marker, signal]: Parameters<typeof incidents.addNote>) => {
        await incidents.addNote(id, text, marker, signal);
        if (stays && marker.endsWith(":succeeded")) {
          appendFileSync(reachedFile(folder, "notice posted"), "here\n");
          await never();
        }
      },
    },
    other: {
      reap: (seq: number) => reapOrphans({ db, log: silentLogger, reap: reapProgram }, seq),
    },
  };
  return workOn(world, runId);
}

const { TEST_CRASH_PLACE: given } = process.env;
if (given !== undefined) {
  const place = JSON.parse(given) as CrashPlace;
  const url = place.databaseUrl;
  const db = openDatabase({ url, poolMax: 10, applicationName: "test-crash", ssl: false });
  // One that was ended otherwise, or is still held by the executor before, must not end the others.
  await Promise.allSettled(Object.values(place.runs).map((id) => workOnCrash(db, place, id, true)));
  await db.close();
}
