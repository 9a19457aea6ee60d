/** (d) A backlog breaches its rule; the page goes out, the webhook comes back, the runbook runs, samples resolve the alert. */
import { assert } from "../base/assert.js";
import { systemClock } from "../base/clock.js";
import { DAY_MS, MINUTE_MS } from "../base/duration.js";
import { listAlertHistory } from "../store/alerts.js";
import { readIndexEvidence } from "../store/evidence.js";
import { enqueueJobs } from "../store/jobs.js";
import { pauseQueue } from "../store/pauses.js";
import { readQueueDepth } from "../store/queue-stats.js";
import { listRuns } from "../store/runs.js";
import { ACTOR } from "./act-index.js";
import { QUEUE_DEPTH_RULE } from "./overlay.js";
import type { Act, Stage } from "./stage.js";
import type { Timeline } from "./timeline.js";

const JOBS = 120;
const PAUSE_MS = 10 * MINUTE_MS;

export const drainBacklog: Act = async (stage, timeline) => {
  timeline.act("d", "a backlog pages, and the page's own webhook starts the runbook");
  await pileUp(stage);
  timeline.note(`the queue score is paused by automation, and ${JOBS} jobs wait in it`);
  await verifyPage(stage, timeline);
  await verifyRun(stage, timeline);
  await verifyResolved(stage, timeline);
};

/** One score a day of the past: real work, each another one. */
async function pileUp({ db, packageRoot }: Stage): Promise<void> {
  const indexed = await readIndexEvidence(db, packageRoot);
  assert(indexed !== null, "the first act indexed this checkout");
  const now = systemClock.now().getTime();
  const expiresAt = new Date(now + PAUSE_MS);
  await pauseQueue(db, {
    kind: "score",
    reason: "the game day piles jobs up",
    by: "gameday",
    expiresAt,
  });
  const jobs = Array.from({ length: JOBS }, (_, day) => ({
    kind: "score",
    payload: {
      repo_id: indexed.repoId,
      as_of: new Date(now - (day + 1) * DAY_MS).toISOString().slice(0, 10),
    },
    requestedBy: ACTOR,
  }));
  await enqueueJobs(db, jobs);
}

async function verifyPage({ db, pagerduty }: Stage, timeline: Timeline): Promise<void> {
  await timeline.verify("the alert fires on the runtime's own samples", async () => {
    const fired = (await listAlertHistory(db, 50)).find(
      ({ rule, transition }) => rule === QUEUE_DEPTH_RULE && transition === "fired",
    );
    return fired ? `${fired.level} at ${fired.value} waiting jobs` : null;
  });
  await timeline.verify("PagerDuty opened an incident", () => {
    const incident = pagerduty
      .incidents()
      .find(({ incidentKey }) => incidentKey.includes(QUEUE_DEPTH_RULE));
    return incident ? `${incident.id}: ${incident.title}` : null;
  });
  await timeline.verify("its webhook came back and was accepted", () => {
    const delivery = pagerduty.deliveries.find(
      ({ eventType }) => eventType === "incident.triggered",
    );
    return delivery?.status === "delivered"
      ? `${delivery.webhookId}, answered ${delivery.lastStatus}`
      : null;
  });
}

async function verifyRun({ db, pagerduty }: Stage, timeline: Timeline): Promise<void> {
  await timeline.verify("the runbook ran once, and verified", async () => {
    const runs = (await listRuns(db, 50)).filter(
      ({ runbook }) => runbook === "respond-queue-backlog",
    );
    assert(runs.length <= 1, "one incident starts one run");
    const [run] = runs;
    return run?.status === "succeeded" ? `${run.id} by ${run.actor}: ${run.outcome}` : null;
  });
  await timeline.verify("the incident has the notes of start and outcome", () => {
    const notes = pagerduty.incidents().flatMap((incident) => incident.notes);
    return notes.length >= 2 ? `${notes.length} notes` : null;
  });
}

async function verifyResolved({ db, pagerduty }: Stage, timeline: Timeline): Promise<void> {
  await timeline.verify("the jobs drained", async () => {
    const waiting =
      (await readQueueDepth(db)).find(({ name: kind }) => kind === "score")?.pending ?? 0;
    return waiting === 0 ? `0 of ${JOBS} wait` : null;
  });
  await timeline.verify("samples, not the runbook, resolved the alert", async () => {
    const ended = (await listAlertHistory(db, 50)).find(
      ({ rule, transition }) => rule === QUEUE_DEPTH_RULE && transition === "resolved",
    );
    return ended ? `at ${ended.value} waiting jobs` : null;
  });
  await timeline.verify("PagerDuty resolved the incident", () => {
    const incident = pagerduty
      .incidents()
      .find(({ incidentKey }) => incidentKey.includes(QUEUE_DEPTH_RULE));
    return incident?.status === "resolved" ? `${incident.id} resolved` : null;
  });
}
