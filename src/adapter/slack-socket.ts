/**
 * Slack's Socket Mode: events without a public address. One connection at a time, and a second one beside it while
 * Slack moves us to another server, so that no event falls between. `@slack/socket-mode` 3.1 has gaps of seconds
 * there and a race that ends the process, so this is our own, over `ws`.
 */
import { type BackoffPolicy, backoffMs } from "../base/backoff.js";
import { type Fault, fault, toFault } from "../base/fault.js";
import { isJsonObject } from "../base/json.js";
import { sendHttp } from "./http.js";
import {
  type ConnectionDeps,
  openSlackConnection,
  type SlackConnection,
} from "./slack-connection.js";

export interface SlackSocketOptions extends ConnectionDeps {
  /** App-level token, `xapp-…`, with the scope `connections:write`. */
  readonly appToken: string;
  /** Default `https://slack.com/api/`. */
  readonly apiUrl?: string | null;
  /** In [0, 1). */
  readonly random: () => number;
}

const API_URL = "https://slack.com/api/";
const CALL_MS = 10_000;
const BACKOFF: BackoffPolicy = { baseMs: 500, capMs: 30_000, jitter: 0.2 };
/** A connection that lived shorter has failed. */
const STEADY_MS = 10_000;
/** What only a person can change is looked at again after this. */
const FOR_A_PERSON_MS = 60_000;

/** Keeps connected until it is stopped. */
export function startSlackSocket(options: SlackSocketOptions): { stop(): Promise<void> } {
  const stop = new AbortController();
  const open = new Set<SlackConnection>();
  const running = keepConnected(options, open, stop.signal);
  return {
    stop: async () => {
      stop.abort();
      await running;
      await Promise.all([...open].map(({ closed }) => closed));
    },
  };
}

async function keepConnected(
  options: SlackSocketOptions,
  open: Set<SlackConnection>,
  stop: AbortSignal,
): Promise<void> {
  const { clock, log } = options;
  let failures = 0;
  while (!stop.aborted) {
    const startedMs = clock.now().getTime();
    const failed = await connectOnce(options, open, stop);
    if (stop.aborted) return;
    // Whoever sends us away at once must not be asked again at once.
    const wasSteady = clock.now().getTime() - startedMs > STEADY_MS;
    failures = failed === null && wasSteady ? 0 : failures + 1;
    if (failures === 0) continue;
    const waitMs = failed?.retryAfterMs ?? backoffMs(BACKOFF, failures, options.random());
    if (failed)
      log.warn("slack.connect-failed", {
        error: failed.message,
        hint: failed.hint,
        retry_ms: waitMs,
      });
    await clock.sleep(waitMs, stop);
  }
}

/** Returns when another connection should take its place, and why there was none. */
async function connectOnce(
  options: SlackSocketOptions,
  open: Set<SlackConnection>,
  stop: AbortSignal,
): Promise<Fault | null> {
  try {
    const url = await askForUrl(options, stop);
    const connection = await openSlackConnection(url, options, stop);
    // It may linger beside the next one.
    open.add(connection);
    void connection.closed.then(() => open.delete(connection));
    options.log.info("slack.connected", {});
    return (await connection.over) === "disabled" ? switchedOff() : null;
  } catch (thrown) {
    return toFault(thrown);
  }
}

function switchedOff(): Fault {
  return fault.waiting("SLACK_SOCKET_REFUSED", "Socket Mode is switched off for the app", {
    retryAfterMs: FOR_A_PERSON_MS,
    hint: "set socket_mode_enabled in the app's manifest, or take SLACK_APP_TOKEN away",
  });
}

async function askForUrl(
  { appToken, apiUrl }: SlackSocketOptions,
  signal: AbortSignal,
): Promise<string> {
  const base = apiUrl ?? API_URL;
  const { status, text } = await sendHttp({
    ...{
      system: "SLACK",
      method: "POST",
      url: `${base.replace(/\/?$/, "/")}apps.connections.open`,
    },
    headers: { authorization: `Bearer ${appToken}` },
    ...{ timeoutMs: CALL_MS, signal },
  });
  const answer = parseAnswer(text);
  if (answer.ok === true && typeof answer.url === "string") return checkUrl(answer.url, base);
  const reason = typeof answer.error === "string" ? answer.error : `status ${status}`;
  if (!REFUSALS.has(reason))
    throw fault.transient("SLACK_SOCKET_FAILED", `apps.connections.open: ${reason}`);
  throw fault.waiting("SLACK_SOCKET_REFUSED", `Slack refuses SLACK_APP_TOKEN: ${reason}`, {
    retryAfterMs: FOR_A_PERSON_MS,
    hint: "make an app-level token with the scope connections:write (docs/slack.md)",
  });
}

const REFUSALS = new Set([
  ...["invalid_auth", "not_authed", "not_allowed_token_type", "token_revoked", "token_expired"],
  ...["missing_scope", "no_permission", "access_denied", "forbidden_team"],
]);

/** Events go over an encrypted line, except to a stand-in on this machine. */
function checkUrl(url: string, apiUrl: string): string {
  const isLocal = /^http:\/\/(127\.0\.0\.1|localhost)[:/]/.test(apiUrl);
  if (url.startsWith("wss://") || (isLocal && url.startsWith("ws://"))) return url;
  throw fault.waiting("SLACK_SOCKET_REFUSED", "Slack named an address that is not wss://", {
    retryAfterMs: FOR_A_PERSON_MS,
  });
}

function parseAnswer(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : {};
  } catch {
    // The status says more.
    return {};
  }
}
