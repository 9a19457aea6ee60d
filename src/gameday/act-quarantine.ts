/** (b) Bad data is quarantined, its payload corrected, the job rerun by a signed Slack command, and completed. */
import { assert } from "../base/assert.js";
import { systemClock } from "../base/clock.js";
import { createRegistry } from "../main/kinds.js";
import { readIndexEvidence } from "../store/evidence.js";
import { readHealingOfJob } from "../store/healing.js";
import { correctPayload } from "../store/job-actions.js";
import { readJob } from "../store/jobs.js";
import { listRuns } from "../store/runs.js";
import { submitJob } from "../store/submit-job.js";
import { ACTOR } from "./act-index.js";
import { GAME_DAY_PERSON } from "./overlay.js";
import { slackCommandRequest } from "./sign.js";
import type { Act, Stage } from "./stage.js";

const CHANNEL = "C0GAMEDAY";

export const correctQuarantined: Act = async (stage, timeline) => {
  const { db, slack } = stage;
  timeline.act("b", "bad data waits for a person, who corrects and reruns it from Slack");
  const job = await submitJob(db, {
    kind: "score",
    payload: { repo_id: "no-such-repository" },
    actor: ACTOR,
  });
  timeline.note(`${job.id} is to score a repository that does not exist`);
  await timeline.verify("it is quarantined, not retried", async () => {
    const found = await readJob(db, job.seq);
    return found?.status === "quarantined" ? (found.error ?? "quarantined") : null;
  });
  await timeline.verify("healdec_log says why, and that an operator was told", async () => {
    const [row] = await readHealingOfJob(db, job.id);
    if (!row?.operatorNotified) return null;
    return `${row.id}: ${row.failureType} → ${row.strategy}`;
  });
  await timeline.verify("Slack heard of it", () => {
    const post = slack.messages.find(({ text }) => text.includes(job.id));
    return post ? `${post.channel}: ${post.text}` : null;
  });
  await correct(stage, job.seq);
  timeline.note("the payload now names this checkout");
  await rerunFromSlack(stage, job.id);
  timeline.note(`/algobrain rerun ${job.id} was signed, sent and acknowledged`);
  await timeline.verify("the runbook ran and verified", async () => {
    const run = (await listRuns(db, 10)).find(({ runbook }) => runbook === "rerun-job");
    return run?.status === "succeeded" ? `${run.id} by ${run.actor}: ${run.outcome}` : null;
  });
  await timeline.verify("the job completed", async () => {
    const found = await readJob(db, job.seq);
    return found?.status === "completed" ? `${job.id} completed` : null;
  });
  await timeline.verify("one living Slack message tells the outcome", () => {
    const post = slack.messages.find(
      ({ channel, text }) => channel === CHANNEL && text.includes("succeeded"),
    );
    return post ? `${post.text} (edited ${post.versions.length} times)` : null;
  });
};

async function correct({ db, packageRoot }: Stage, seq: number): Promise<void> {
  const indexed = await readIndexEvidence(db, packageRoot);
  assert(indexed !== null, "the first act indexed this checkout");
  const registry = createRegistry();
  const { outcome } = await correctPayload(db, {
    seq,
    actor: ACTOR,
    payload: { repo_id: indexed.repoId },
    check: (kind, payload) => registry.checkPayload(kind, payload),
  });
  assert(outcome === "corrected", "a quarantined job takes another payload");
}

async function rerunFromSlack(stage: Stage, jobId: string): Promise<void> {
  const command = {
    teamId: GAME_DAY_PERSON.team,
    userId: GAME_DAY_PERSON.user,
    channelId: CHANNEL,
    text: `rerun ${jobId} the repository id was wrong`,
    triggerId: `gameday-${jobId}`,
  };
  const request = slackCommandRequest(command, stage.secrets.slackSigning, systemClock.now());
  const { status, body } = await stage.send(request);
  assert(status === 200, `Slack's command is acknowledged, not ${status}: ${body}`);
}
