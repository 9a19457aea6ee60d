/** What people ask to see: the newest runs, one of them, what is held. */
import { formatAge } from "../base/duration.js";
import type { Message } from "../message/message.js";
import { isFinal, type Run } from "../runbook/run.js";
import { describeCall } from "../runbook/telling.js";
import type { Sql } from "../store/database.js";
import { readRunLines } from "../store/run-lines.js";
import { listRuns, readRun } from "../store/runs.js";
import { readStopped } from "../store/stop-switch.js";
import { describeHolder, listLocks } from "../store/target-locks.js";
import type { Command } from "./command.js";

type Look = Extract<Command, { kind: "look" }>;

const RUNS_SHOWN = 15;
const LOCKS_SHOWN = 20;
const LINES_SHOWN = 15;
/** Enough to have the newest lines of what a run may keep. */
const LINES_MAX = 5_000;

export async function lookAt(sql: Sql, look: Look, now: Date): Promise<Message> {
  if (look.at === "locks") return locksMessage(sql);
  if (look.at === "runs") return runsMessage(sql, now);
  return runMessage(sql, look.runId ?? "", now);
}

async function runsMessage(sql: Sql, now: Date): Promise<Message> {
  const [runs, stopped] = [await listRuns(sql, RUNS_SHOWN), await readStopped(sql)];
  return {
    tone: stopped ? "warning" : "info",
    title: stopped ? `All runbooks are stopped by ${stopped.by}: ${stopped.reason}` : "Newest runs",
    table: {
      columns: ["run", "status", "what", "by", "asked"],
      rows: runs.map((run) => [
        run.id,
        statusOf(run),
        describeCall(run).slice(0, 60),
        run.automation ?? run.actor,
        `${formatAge(now.getTime() - run.requestedAt.getTime())} ago`,
      ]),
    },
    footer: "/algobrain run-17 shows one",
  };
}

function statusOf({ status, waitingFor }: Run): string {
  return waitingFor === null ? status : `waits for ${waitingFor}`;
}

async function runMessage(sql: Sql, id: string, now: Date): Promise<Message> {
  const run = await readRun(sql, id);
  if (!run)
    return {
      tone: "warning",
      title: `There is no ${id}`,
      text: "/algobrain runs lists the newest.",
    };
  const lines = await readRunLines(sql, run.seq, 0, LINES_MAX);
  const newest = lines.slice(-LINES_SHOWN).map(({ text }) => text);
  return {
    tone: isFinal(run.status) && run.status !== "succeeded" ? "warning" : "info",
    title: `${run.id} ${statusOf(run)}: ${describeCall(run)}`,
    ...(run.plan ? { text: run.plan.text } : {}),
    fields: [
      { label: "Asked by", value: `${run.actor} through ${run.door}` },
      { label: "Asked", value: `${formatAge(now.getTime() - run.requestedAt.getTime())} ago` },
      ...(run.outcome ? [{ label: "Outcome", value: run.outcome }] : []),
      ...(run.targets.length > 0 ? [{ label: "Targets", value: run.targets.join(", ") }] : []),
    ],
    ...(newest.length > 0 ? { code: newest.join("\n") } : {}),
    footer: `all of it: GET /api/v1/runs/${run.id}`,
  };
}

async function locksMessage(sql: Sql): Promise<Message> {
  const locks = await listLocks(sql);
  const shown = locks.slice(0, LOCKS_SHOWN).map(describeHolder);
  if (shown.length === 0) return { tone: "info", title: "Nothing is held" };
  const rest = locks.length - shown.length;
  return {
    tone: "info",
    title: `${locks.length} ${locks.length === 1 ? "target is" : "targets are"} held`,
    code: [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join("\n"),
  };
}
