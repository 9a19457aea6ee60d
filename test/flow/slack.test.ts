/**
 * Flow 2 of the design, with the real program: a Slack command is signed, acknowledged within the second,
 * authorised, run, and told in one living message, whatever state Slack is in.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { type SlackCommand, slackCommandRequest } from "../../src/gameday/sign.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { listAudit } from "../../src/store/audit.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { listRuns } from "../../src/store/runs.js";
import { type LiveRuntime, startLiveRuntime, TEAM } from "../support/live-runtime.js";
import { until } from "../support/until.js";

/** The bar of Slack. How far from it we are is measured by `npm run proof:slack`. */
const ACK_MS = 3_000;
const MINUTE_MS = 60_000;

let live: LiveRuntime;
let typed = 0;
beforeAll(async () => {
  live = await startLiveRuntime({ changePolicy: withQuickBreaker });
});
afterAll(() => live?.close());

/** What fails is tried again after two seconds instead of thirty. */
function withQuickBreaker(policy: PolicySet): PolicySet {
  const breakers = policy.healing.breakers!;
  const slack = { ...breakers.slack, openMs: 2_000 };
  return { ...policy, healing: { ...policy.healing, breakers: { ...breakers, slack } } };
}

interface Typing extends Partial<SlackCommand> {
  readonly at?: Date;
  readonly headers?: Record<string, string>;
}

/** What Slack sends when someone types `/algobrain TEXT`; each time in a channel of its own unless said otherwise. */
async function type(text: string, typing: Typing = {}) {
  typed += 1;
  const { at = systemClock.now(), headers = {}, ...rest } = typing;
  const command: SlackCommand = {
    ...{
      teamId: TEAM,
      userId: "UANN",
      channelId: `C${typed}`,
      text,
      triggerId: `trigger-${typed}`,
    },
    ...rest,
  };
  const request = slackCommandRequest(command, live.secrets.slackSigning, at);
  const startedMs = systemClock.now().getTime();
  const reply = await live.ask(null, request.path, {
    method: "POST",
    headers: { ...request.headers, ...headers },
    body: request.body,
  });
  const body = await reply.text();
  return {
    status: reply.status,
    body,
    tookMs: systemClock.now().getTime() - startedMs,
    channel: command.channelId,
    triggerId: command.triggerId,
  };
}

/** Those that stand in the channel itself, not below another. */
const messagesIn = (channel: string) =>
  live.slack.messages.filter((it) => it.channel === channel && it.threadTs === undefined);
const runsOf = async (runbook: string) =>
  (await listRuns(live.db, 200)).filter((run) => run.runbook === runbook);
const rowCounts = async () => {
  const { rows } = await live.db.query(
    `SELECT (SELECT count(*) FROM control.inbound) AS inbound, (SELECT count(*) FROM control.run) AS runs,
            (SELECT count(*) FROM audit_log) AS audit`,
  );
  return rows[0];
};

/** A job that is quarantined: what on-call engineers rerun. */
async function quarantinedJob(): Promise<string> {
  const { id, seq } = await enqueueJob(live.db, { kind: "score", payload: { repo_id: "none" } });
  await until(async () => {
    const { rows } = await live.db.query<{ status: string }>(
      "SELECT status FROM jobs WHERE seq = $1",
      [seq],
    );
    return rows[0]?.status === "quarantined";
  }, `${id} is quarantined`);
  return id;
}

describe("a command that may run", () => {
  test("is acknowledged at once, runs, and is told in one message", async () => {
    const { status, body, tookMs, channel } = await type("queue-depth");
    expect([status, tookMs < ACK_MS]).toEqual([200, true]);
    expect(JSON.parse(body)).toMatchObject({ response_type: "ephemeral" });
    const message = await until(
      () => messagesIn(channel).find(({ text }) => text.includes("succeeded")),
      "the outcome is told",
    );
    expect(messagesIn(channel)).toEqual([message]);
    const [run] = await runsOf("queue-depth");
    expect(run).toMatchObject({ ...{ actor: "ann", door: "slack" }, status: "succeeded" });
    const { rows } = await live.db.query(
      "SELECT action, actor FROM audit_log WHERE target = $1 ORDER BY seq",
      [run?.id],
    );
    expect(rows.map((row) => (row as { action: string }).action)).toEqual(
      expect.arrayContaining(["run.requested", "run.succeeded"]),
    );
  });

  test.each(["away", "slow"] as const)(
    "is acknowledged and runs while Slack is %s, and is told once when it is back",
    async (state) => {
      const job = await quarantinedJob();
      if (state === "away") await live.lines.slack.cut();
      else live.lines.slack.clog();
      const { status, tookMs, channel } = await type(`rerun ${job} it was the network`);
      expect([status, tookMs < ACK_MS]).toEqual([200, true]);
      // The repository is still not there, so the rerun fails: an honest outcome is the claim here.
      await until(
        async () => (await runsOf("rerun-job")).find((run) => run.params.job === job)?.endedAt,
        "the run ended while nobody could be told",
        45_000,
      );
      expect(messagesIn(channel)).toEqual([]);
      await live.lines.slack.mend();
      const message = await until(
        () => messagesIn(channel).find(({ text }) => text.includes("failed")),
        "the outcome is told after all",
        45_000,
      );
      expect(JSON.stringify(message.blocks)).toContain("it was the network");
      expect((await runsOf("rerun-job")).filter((run) => run.params.job === job)).toHaveLength(1);
    },
    2 * MINUTE_MS,
  );

  test("that comes twice runs once, also with Slack's retry headers", async () => {
    const first = await type("healdec-report");
    const retry = { "x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout" };
    const again = await type("healdec-report", {
      ...{ triggerId: first.triggerId, channelId: first.channel },
      headers: retry,
    });
    expect([again.status, again.body.includes("Already here")]).toEqual([200, true]);
    await until(
      () => messagesIn(first.channel).find(({ text }) => text.includes("succeeded")),
      "the one run is told",
    );
    expect(await runsOf("healdec-report")).toHaveLength(1);
  });
});

describe("a command that may not run", () => {
  test.each([
    ["a stranger", "USTRANGER", "queue-depth", "nobody in access.yaml has the Slack identity"],
    ["a viewer who changes something", "UVIC", "pause-queue score 30m", "needs the role operator"],
  ])(
    "because of %s is refused, told to the asker alone with the reason, and audited",
    async (_who, userId, text, why) => {
      const { status, channel } = await type(text, { userId });
      expect(status).toBe(200);
      const message = await until(() => messagesIn(channel)[0], "the refusal is told");
      expect(JSON.stringify(message.blocks)).toContain(why);
      expect(message.onlyFor).toBe(userId);
      expect(await runsOf(text.split(" ")[0] ?? "")).toEqual(
        (await runsOf(text.split(" ")[0] ?? "")).filter(({ actor }) => actor === "ann"),
      );
      expect((await listAudit(live.db, { limit: 50 })).map(({ action }) => action)).toContain(
        "run.refused",
      );
    },
  );

  test.each([
    ["help", "AlgoBrain commands"],
    ["help rerun", "Runs a job again"],
    ["rerunn job-1", "did you mean"],
    ["rerun", "usage: /algobrain rerun-job JOB"],
    ["rerun job-1 --forse true", "did you mean"],
  ])("or needs no run is answered on the spot: %j", async (text, words) => {
    const before = await rowCounts();
    const { status, body } = await type(text);
    expect([status, body.includes(words)]).toEqual([200, true]);
    expect(await rowCounts()).toEqual(before);
  });

  test.each([
    ["replayed after six minutes", -6 * MINUTE_MS],
    ["from the future", 6 * MINUTE_MS],
  ])("because it is %s is 401 and leaves no row", async (_what, skewMs) => {
    const before = await rowCounts();
    const { status, body } = await type("queue-depth", {
      at: new Date(systemClock.now().getTime() + skewMs),
    });
    expect([status, JSON.parse(body)]).toMatchObject([401, { code: "signature-invalid" }]);
    expect(await rowCounts()).toEqual(before);
  });
});

describe("what a person types is never more than text", () => {
  test.each([
    ["a second command", "rerun job-1;touch$IFS/tmp/x"],
    ["a substitution", 'rerun "job-1 $(reboot)"'],
    ["backticks", "pause-queue score `id`"],
    ["an option", "rerun --upload-pack=sh"],
    ["a path", "pause-queue ../../etc 30m"],
    ["an option behind a quote", "inspect-job job-1'--output=/etc/passwd"],
    ["a number beyond numbers", "rerun job-99999999999999999999"],
    ["the prototype as a command", "__proto__ constructor"],
    ["the prototype as a topic", "help __proto__"],
    ["the prototype as a parameter", "queue-depth __proto__=1"],
    ["text that is no text", "queue-depth \u202Ejob\u0000\uD800"],
    ["a book", `rerun ${"x".repeat(4_000)}`],
  ])("%s starts nothing", async (_what, text) => {
    const runsBefore = (await listRuns(live.db, 200)).length;
    const { status, body } = await type(text, { userId: "UVIC" });
    expect([status, JSON.parse(body).response_type]).toEqual([200, "ephemeral"]);
    expect(body).not.toContain("Working on it");
    expect((await listRuns(live.db, 200)).length).toBe(runsBefore);
  });

  test("markup in it mentions nobody and opens no link, in the answer and in the channel", async () => {
    const markup = "<!channel> <@U0BOSS> <https://evil.example|click> ```&lt;!here&gt;``` *b* `c`";
    const job = await quarantinedJob();
    const atOnce = await type(`${markup} ${job}`);
    const { body, channel } = await type(`rerun ${job} ${markup}`);
    const message = await until(
      () => messagesIn(channel).find(({ text }) => text.includes("failed")),
      "the outcome is told",
      30_000,
    );
    const answers = [atOnce.body, body].map((answer) => JSON.parse(answer));
    const shown = [...answers, message].map(({ text, blocks }) =>
      JSON.stringify([text, mrkdwnIn(blocks)]),
    );
    for (const text of shown) expect(text).not.toMatch(/<(!|@|#|https:\/\/evil)/);
    expect(shown.join()).toContain("&lt;!channel&gt;");
  });
});

/** What Slack would parse; plain text it shows as it is. */
function mrkdwnIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(mrkdwnIn);
  if (typeof value !== "object" || value === null) return [];
  const { type: kind, text } = value as { type?: unknown; text?: unknown };
  if (kind === "mrkdwn" && typeof text === "string") return [text];
  return Object.values(value).flatMap(mrkdwnIn);
}

describe("the bars", () => {
  test("rerun-job takes seconds from the command to the verified result", async () => {
    const id = await failedJob();
    const typedMs = systemClock.now().getTime();
    await type(`rerun ${id} --reason "the disk is free again"`);
    const run = await until(
      async () => (await runsOf("rerun-job")).find((it) => it.params.job === id && it.endedAt),
      "the rerun ended",
    );
    expect(run).toMatchObject({ status: "succeeded", verified: true });
    // The bar of 2 s is held by `npm run proof:rerun`; here a machine that does something else may be as slow again.
    expect((run.endedAt?.getTime() ?? 0) - typedMs).toBeLessThan(8_000);
  });

  test("90 commands at 50 a second while 5 runs are at work: each acknowledged, none lost, none doubled", async () => {
    await type("pause-queue export 10m so that runs wait for their jobs");
    await until(
      async () => (await live.db.query("SELECT FROM control.queue_pause")).rowCount,
      "the queue is paused",
    );
    for (let i = 0; i < 5; i++) await type(`rerun ${await failedJob()}`);
    await until(async () => (await runsAtWork()) === 5, "five runs are at work");
    const before = await receivedCommands();
    const acks = await Promise.all(await storm(90));
    expect(acks.map(({ status }) => status)).toEqual(Array(90).fill(200));
    // How long they took is measured by bench/proof/slack-load.mjs: here all sides share one process.
    await until(async () => (await receivedCommands()).open === 0, "all are settled", 30_000);
    expect((await receivedCommands()).all - before.all).toBe(60);
    expect(await runsOf("inspect-job")).toHaveLength(12);
    await type("resume export");
    await until(async () => (await openRuns()) === 0, "every run ended", 30_000);
  }, 90_000);
});

/** 50 a second, whether or not the ones before were answered. */
async function storm(count: number) {
  const startMs = systemClock.now().getTime();
  const sent: ReturnType<typeof typeInStorm>[] = [];
  while (sent.length < count) {
    const dueMs = startMs + sent.length * 20;
    await until(() => systemClock.now().getTime() >= dueMs, "its turn has come");
    sent.push(typeInStorm(sent.length));
  }
  return sent;
}

/** Every third command is the one before it, delivered again; every fifth of the others becomes a run of its own. */
function typeInStorm(i: number) {
  const first = i % 3 === 2 ? i - 1 : i;
  const nth = first - Math.floor(first / 3);
  return type(nth % 5 === 0 ? `inspect job-${nth + 1}` : "locks", {
    ...{ triggerId: `storm-${first}`, channelId: `CSTORM${first}` },
  });
}

/** A failed job that completes when it is run again. */
async function failedJob(): Promise<string> {
  const { id, seq } = await enqueueJob(live.db, {
    ...{ kind: "export", payload: { entity: "events" } },
    scheduledAt: new Date(systemClock.now().getTime() + MINUTE_MS),
  });
  await live.db.query("UPDATE jobs SET status = 'failed', scheduled_at = now() WHERE seq = $1", [
    seq,
  ]);
  return id;
}

const runsAtWork = async () =>
  (await runsOf("rerun-job")).filter(({ status }) => status === "running").length;

const openRuns = async () =>
  (await listRuns(live.db, 200)).filter(({ endedAt }) => endedAt === null).length;

async function receivedCommands(): Promise<{ all: number; open: number }> {
  const { rows } = await live.db.query<{ all: number; open: number }>(
    `SELECT count(*)::int AS all, (count(*) FILTER (WHERE status = 'received'))::int AS open
     FROM control.inbound WHERE event_type = 'slash_command'`,
  );
  return rows[0]!;
}

test("nothing secret that came or went stands in the logs or in a row", async () => {
  const log = await live.log();
  expect(log).toContain('"event":"run.ended"');
  const { rows } = await live.db.query<{ all: string }>(
    `SELECT (SELECT string_agg(i::text, '') FROM control.inbound i)
         || (SELECT string_agg(r::text, '') FROM control.run r)
         || (SELECT string_agg(a::text, '') FROM audit_log a) AS all`,
  );
  const { pagerdutyWebhook, ...others } = live.secrets;
  for (const secret of [...Object.values(others), ...pagerdutyWebhook, "trigger-1"]) {
    expect(log).not.toContain(secret);
    expect(rows[0]?.all).not.toContain(secret);
  }
});
