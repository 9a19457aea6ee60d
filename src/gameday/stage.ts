/** The private instance that the acts play on: its own folder, database and secrets, with stand-ins for Slack and PagerDuty. */
import { randomBytes } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StandInPagerDuty, startStandInPagerDuty } from "../adapter/stand-in/pagerduty.js";
import { type StandInSlack, startStandInSlack } from "../adapter/stand-in/slack.js";
import { assert } from "../base/assert.js";
import { fault } from "../base/fault.js";
import { type Close, openInOrder } from "../base/open-in-order.js";
import { type Runtime, startRuntime } from "../main.js";
import { type Config, readConfig } from "../runtime/config.js";
import { withLocalSecrets } from "../runtime/local-secrets.js";
import type { Database } from "../store/database.js";
import { layGameDayOverlay } from "./overlay.js";
import type { SignedRequest } from "./sign.js";
import type { Timeline } from "./timeline.js";

export interface StageOptions {
  readonly packageRoot: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onFatal: (why: string) => void;
}

export interface Stage {
  readonly packageRoot: string;
  readonly folder: string;
  readonly db: Database;
  readonly runtime: Runtime;
  readonly slack: StandInSlack;
  readonly pagerduty: StandInPagerDuty;
  readonly secrets: Secrets;
  readonly overlay: readonly string[];
  readonly logFile: string;
  readonly signal: AbortSignal;
  /** Sends a request to the instance; answers with status and body. */
  send(request: SignedRequest): Promise<{ status: number; body: string }>;
  close(): Promise<void>;
}

export type Act = (stage: Stage, timeline: Timeline) => Promise<void>;

interface Secrets {
  readonly slackSigning: string;
  readonly slackToken: string;
  readonly pagerdutyRouting: string;
  readonly pagerdutyToken: string;
  readonly pagerdutyWebhook: string;
  readonly github: string;
}

const SAMPLES_EVERY_MS = 1_000;
const REQUEST_TIMEOUT_MS = 5_000;

export function setStage(options: StageOptions): Promise<Stage> {
  return openInOrder((opened) => build(options, opened));
}

async function build(options: StageOptions, opened: Close[]): Promise<Omit<Stage, "close">> {
  const folder = await mkdtemp(join(tmpdir(), "algobrain-gameday-"));
  opened.push(() => rm(folder, { recursive: true, force: true }));
  const secrets = makeSecrets();
  const slack = await startStandInSlack({ token: secrets.slackToken });
  opened.push(() => slack.close());
  const { pagerdutyRouting: routingKey, pagerdutyToken: token } = secrets;
  const pagerduty = await startStandInPagerDuty({ routingKey, token });
  opened.push(() => pagerduty.close());
  const logFile = join(folder, "runtime.log");
  const log = await open(logFile, "a");
  opened.push(() => log.close());
  const env = environment(options, folder, secrets, slack.url, pagerduty.url);
  let overlay: readonly string[] = [];
  const runtime = await startRuntime({
    ...options,
    env,
    config: await configure(env),
    role: "all",
    lane: null,
    kinds: null,
    cwd: options.packageRoot,
    writeLog: (line) => void log.write(`${line}\n`),
    childLog: log.fd,
    changePolicy: (policy) => {
      const laid = layGameDayOverlay(policy);
      overlay = laid.described;
      return laid.policy;
    },
    samplesEveryMs: SAMPLES_EVERY_MS,
    disposableDatabase: true,
  });
  opened.push(() => runtime.stop());
  assert(runtime.url !== null, "a runtime in all roles listens");
  const url = runtime.url;
  pagerduty.subscribe({ url: `${url}/webhooks/pagerduty`, secret: secrets.pagerdutyWebhook });
  const ending = new AbortController();
  opened.push(async () => ending.abort());
  return {
    ...{ folder, runtime, slack, pagerduty, secrets, overlay, logFile },
    packageRoot: options.packageRoot,
    db: runtime.foundation.db,
    signal: ending.signal,
    send: (request) => send(url, request),
  };
}

/** Nothing of the person's own settings comes along: a private instance must never reach a real Slack. */
function environment(
  options: StageOptions,
  folder: string,
  secrets: Secrets,
  slackUrl: string,
  pagerdutyUrl: string,
): Record<string, string | undefined> {
  return {
    PATH: options.env.PATH,
    HOME: options.env.HOME,
    ALGOBRAIN_HOME: folder,
    PORT: "0",
    SLACK_API_URL: slackUrl,
    SLACK_BOT_TOKEN: secrets.slackToken,
    SLACK_SIGNING_SECRET: secrets.slackSigning,
    PAGERDUTY_API_URL: pagerdutyUrl,
    PAGERDUTY_EVENTS_URL: pagerdutyUrl,
    PAGERDUTY_ROUTING_KEY: secrets.pagerdutyRouting,
    PAGERDUTY_TOKEN: secrets.pagerdutyToken,
    PAGERDUTY_WEBHOOK_SECRET: secrets.pagerdutyWebhook,
    GITHUB_WEBHOOK_SECRET: secrets.github,
  };
}

async function configure(env: Readonly<Record<string, string | undefined>>): Promise<Config> {
  const read = readConfig(env);
  if (read.ok) return withLocalSecrets(read.value);
  const problems = read.problems.map(({ message }) => message).join("; ");
  throw fault.critical("GAMEDAY_CONFIG_INVALID", problems);
}

/** New for each game day, and gone with it. */
function makeSecrets(): Secrets {
  const hex = (bytes: number) => randomBytes(bytes).toString("hex");
  return {
    slackSigning: hex(16),
    slackToken: `xoxb-${hex(16)}`,
    pagerdutyRouting: hex(16),
    pagerdutyToken: hex(16),
    pagerdutyWebhook: hex(32),
    github: hex(32),
  };
}

async function send(
  url: string,
  request: SignedRequest,
): Promise<{ status: number; body: string }> {
  const answer = await fetch(`${url}${request.path}`, {
    method: "POST",
    headers: request.headers,
    body: request.body,
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  return { status: answer.status, body: await answer.text() };
}
