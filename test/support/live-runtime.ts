/**
 * The real program for flow tests: api, orchestrator and worker processes on a database of its own, with
 * stand-ins only where the network begins, each behind a line that can be cut.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdtemp, open as openFile, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type StandInPagerDuty,
  startStandInPagerDuty,
} from "../../src/adapter/stand-in/pagerduty.js";
import { type StandInSlack, startStandInSlack } from "../../src/adapter/stand-in/slack.js";
import { type StandInWebhook, startStandInWebhook } from "../../src/adapter/stand-in/webhook.js";
import { systemClock } from "../../src/base/clock.js";
import { type Close, openInOrder } from "../../src/base/open-in-order.js";
import type { Runtime, startRuntime } from "../../src/main.js";
import type { PolicySet, Role } from "../../src/policy/policy.js";
import { readConfig } from "../../src/runtime/config.js";
import type { Database } from "../../src/store/database.js";
import { signToken } from "../../src/web/token.js";
import { createTestDatabase } from "./database.js";
import { type FlakyLine, layLine } from "./flaky-line.js";
import { until } from "./until.js";

const PACKAGE_ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HOUR_MS = 3_600_000;
const REQUEST_TIMEOUT_MS = 20_000;
/** Who may what in these tests: Slack users of one team. */
export const TEAM = "T0FLOW";
const PEOPLE = { ann: "operator", vic: "viewer", ada: "admin" } as const satisfies Record<
  string,
  Role
>;

export interface LiveRuntime {
  readonly db: Database;
  readonly slack: StandInSlack;
  readonly pagerduty: StandInPagerDuty;
  readonly webhook: StandInWebhook;
  readonly lines: Readonly<Record<"slack" | "pagerduty" | "webhook", FlakyLine>>;
  readonly secrets: Secrets;
  /** Every log line so far, of the service and of its worker processes, as text. */
  log(): Promise<string>;
  url(): string;
  /** Stops the whole runtime in order, then starts it on the same database. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  /** A request with a token of the role; null: without. */
  ask(role: Role | null, path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

export interface Secrets {
  readonly slackSigning: string;
  readonly slackToken: string;
  readonly pagerdutyRouting: string;
  readonly pagerdutyToken: string;
  /** While it is rotated: new, then old. */
  readonly pagerdutyWebhook: readonly [string, string];
  readonly github: string;
  readonly jwt: string;
}

export interface LiveOptions {
  readonly changePolicy?: (policy: PolicySet) => PolicySet;
  /** The policies are those of a place of bundles (POLICY_SOURCE), and nothing is laid over them. */
  readonly asPublished?: boolean;
  readonly samplesEveryMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export function startLiveRuntime(options: LiveOptions = {}): Promise<LiveRuntime> {
  return openInOrder((opened) => open(options, opened));
}

async function open(options: LiveOptions, opened: Close[]) {
  const lend = <T extends { close(): Promise<void> }>(thing: T): T => {
    opened.push(() => thing.close());
    return thing;
  };
  const secrets = makeSecrets();
  const home = await mkdtemp(join(tmpdir(), "algobrain-flow-"));
  opened.push(() => rm(home, { recursive: true, force: true }));
  const { db, url: databaseUrl, drop } = await createTestDatabase();
  opened.push(drop);
  const { pagerdutyRouting: routingKey, pagerdutyToken: token } = secrets;
  const slack = lend(await startStandInSlack({ token: secrets.slackToken }));
  const pagerduty = lend(await startStandInPagerDuty({ routingKey, token }));
  const webhook = lend(await startStandInWebhook());
  const lines = {
    slack: lend(await layLine(slack.url)),
    pagerduty: lend(await layLine(pagerduty.url)),
    webhook: lend(await layLine(webhook.url)),
  };
  const env = {
    ...environment(secrets, lines),
    ...{ ALGOBRAIN_HOME: home, DATABASE_URL: databaseUrl },
    ...options.env,
  };
  const logPath = join(home, "runtime.log");
  const log = await openFile(logPath, "a");
  opened.push(() => log.close());
  const start = (port: string) => run(options, { ...env, PORT: port }, log, lines);
  let runtime = await start("0");
  opened.push(() => runtime.stop());
  const url = () => runtime.url ?? "";
  await untilWorkersAreUp(url());
  pagerduty.subscribe({ url: `${url()}/webhooks/pagerduty`, secret: secrets.pagerdutyWebhook[1] });
  return {
    ...{ db, slack, pagerduty, webhook, lines, secrets, url },
    log: () => readFile(logPath, "utf8"),
    restart: async (meanwhile: () => Promise<void> = async () => {}) => {
      await runtime.stop();
      await meanwhile();
      // The same address: PagerDuty keeps delivering to it.
      runtime = await start(new URL(url()).port);
      await untilWorkersAreUp(url());
    },
    ask: async (role: Role | null, path: string, init: RequestInit = {}) => {
      const headers = new Headers(init.headers);
      if (role) headers.set("authorization", `Bearer ${await tokenOf(role, secrets.jwt)}`);
      const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      return fetch(`${url()}${path}`, { ...init, headers, signal });
    },
  };
}

/** Two general ones, the internal one and the executor: while they start they take the machine from everybody else. */
async function untilWorkersAreUp(url: string): Promise<void> {
  await until(
    async () => {
      const reply = await fetch(`${url}/health`, {
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      const { services } = (await reply.json()) as { services: { workers: number } };
      return services.workers === 4;
    },
    "four worker processes are alive",
    60_000,
  );
}

/** As its worker processes do, from dist: a run that is asked for in one process is executed in another, by the same file. */
async function loadMain(): Promise<{ startRuntime: typeof startRuntime }> {
  return import(new URL("../../dist/src/main.js", import.meta.url).href);
}

async function run(
  options: LiveOptions,
  env: Readonly<Record<string, string | undefined>>,
  log: FileHandle,
  lines: LiveRuntime["lines"],
): Promise<Runtime> {
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("; "));
  const main = await loadMain();
  return main.startRuntime({
    ...{ config: read.value, env, childLog: log.fd, packageRoot: PACKAGE_ROOT, cwd: PACKAGE_ROOT },
    ...{ role: "all", lane: null, kinds: null },
    writeLog: (line) => void log.write(`${line}\n`),
    onFatal: (why) => void log.write(`fatal: ${why}\n`),
    ...(options.asPublished ? {} : { changePolicy: changing(options, lines.webhook.url) }),
    ...(options.samplesEveryMs ? { samplesEveryMs: options.samplesEveryMs } : {}),
  });
}

function changing({ changePolicy }: LiveOptions, webhookUrl: string) {
  return (policy: PolicySet): PolicySet => {
    const peopled = withPeople(policy, webhookUrl);
    return changePolicy?.(peopled) ?? peopled;
  };
}

/** Three people, a webhook receiver, and no schedule that would change rows while a test looks at them. */
function withPeople(policy: PolicySet, webhookUrl: string): PolicySet {
  const people = Object.entries(PEOPLE).map(([name, role]) => ({
    ...{ name, role, github: null, subjects: [], teams: [] },
    slack: [`${TEAM}/U${name.toUpperCase()}`],
  }));
  const hook = {
    name: "hook",
    kind: "webhook",
    url: webhookUrl,
    perMinuteMax: 60,
    triesMax: null,
    sendResolved: true,
  } as const;
  const { routes, access } = policy;
  return {
    ...policy,
    schedules: [],
    access: { ...access, people },
    routes: { ...routes, receivers: { ...routes.receivers, hook } },
  };
}

function environment(secrets: Secrets, lines: LiveRuntime["lines"]): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    JWT_SECRET: secrets.jwt,
    API_RATE_LIMIT_PER_MINUTE: "10000",
    SLACK_API_URL: lines.slack.url,
    SLACK_BOT_TOKEN: secrets.slackToken,
    SLACK_SIGNING_SECRET: secrets.slackSigning,
    PAGERDUTY_API_URL: lines.pagerduty.url,
    PAGERDUTY_EVENTS_URL: lines.pagerduty.url,
    PAGERDUTY_ROUTING_KEY: secrets.pagerdutyRouting,
    PAGERDUTY_TOKEN: secrets.pagerdutyToken,
    PAGERDUTY_WEBHOOK_SECRET: secrets.pagerdutyWebhook.join(","),
    GITHUB_WEBHOOK_SECRET: secrets.github,
  };
}

function makeSecrets(): Secrets {
  const hex = (bytes: number) => randomBytes(bytes).toString("hex");
  return {
    slackSigning: hex(16),
    slackToken: `xoxb-${hex(16)}`,
    pagerdutyRouting: hex(16),
    pagerdutyToken: hex(16),
    pagerdutyWebhook: [hex(32), hex(32)],
    github: hex(32),
    jwt: hex(32),
  };
}

function tokenOf(role: Role, secret: string): Promise<string> {
  return signToken({ subject: `flow-${role}`, role, ttlMs: HOUR_MS, now: systemClock.now() }, [
    secret,
  ]);
}
