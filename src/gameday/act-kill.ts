/** (c) A worker process is killed in mid-job; the job completes on another. */
import { join } from "node:path";
import { createShell } from "../adapter/shell.js";
import { readIndexEvidence } from "../store/evidence.js";
import { readHealingOfJob } from "../store/healing.js";
import { readJob } from "../store/jobs.js";
import { submitJob } from "../store/submit-job.js";
import { listWorkers } from "../store/workers.js";
import { ACTOR } from "./act-index.js";
import { makeLongHistory } from "./long-history.js";
import type { Act, Stage } from "./stage.js";
import type { Timeline } from "./timeline.js";

/** A walk of a few seconds: long enough to be caught in it. */
const COMMITS = 50_000;

export const killWorker: Act = async (stage, timeline) => {
  const { db } = stage;
  timeline.act("c", "a worker process is killed in mid-job");
  const repoId = await indexLongHistory(stage, timeline);
  const job = await submitJob(db, { kind: "identity", payload: { repo_id: repoId }, actor: ACTOR });
  const victim = await killHolder(stage, timeline, job.seq);
  await timeline.verify("the job completed on another worker", async () => {
    const found = await readJob(db, job.seq);
    return found?.status === "completed" ? `${job.id} after ${found.attempts} attempts` : null;
  });
  await timeline.verify("healdec_log has the crash and its outcome", async () => {
    const row = (await readHealingOfJob(db, job.id)).find(
      ({ failureType }) => failureType === "crash",
    );
    return row?.success === true
      ? `${row.id}: crash of ${row.workerId} → ${row.strategy}, and it worked`
      : null;
  });
  await timeline.verify("the supervisor started another worker", async () => {
    const alive = (await listWorkers(db)).filter(
      ({ status, id }) => status === "alive" && id !== victim,
    );
    const general = alive.filter(({ id }) => id.startsWith("general-"));
    return general.length >= 2 ? general.map(({ id }) => id).join(", ") : null;
  });
};

async function indexLongHistory(stage: Stage, timeline: Timeline): Promise<string> {
  const path = join(stage.folder, "long-history");
  const shell = createShell({ redact: (text) => text });
  await makeLongHistory(shell, path, COMMITS, stage.signal);
  timeline.note(`a repository with ${COMMITS} commits was made`);
  await submitJob(stage.db, { kind: "index", payload: { path }, actor: ACTOR });
  let repoId = "";
  await timeline.verify("its first walk completed", async () => {
    const seen = await readIndexEvidence(stage.db, path);
    if (!seen || seen.people === 0 || seen.score === null) return null;
    repoId = seen.repoId;
    return `${seen.commits} commits by ${seen.people} people`;
  });
  return repoId;
}

/** Answers with the id of the worker that was killed. */
async function killHolder(stage: Stage, timeline: Timeline, seq: number): Promise<string> {
  let workerId = "";
  await timeline.verify("a worker runs the job", async () => {
    const found = await readJob(stage.db, seq);
    if (found?.status !== "running" || found.workerId === null) return null;
    const holder = (await listWorkers(stage.db)).find(({ id }) => id === found.workerId);
    if (!holder?.pid) return null;
    process.kill(holder.pid, "SIGKILL");
    workerId = holder.id;
    return `${holder.id} (pid ${holder.pid}) was killed with SIGKILL`;
  });
  return workerId;
}
