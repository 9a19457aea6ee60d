/**
 * Whether each foreign system answers us, asked without leaving a trace there, and past its breaker: breakers are
 * for work, and this is how a person finds out that one may be closed. Scopes are named, keys never.
 */
import { faultOfStatus, type HttpRequest, type HttpResponse, sendHttp } from "../adapter/http.js";
import { systemClock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import type { Logger } from "../base/log.js";
import type { PolicySet } from "../policy/policy.js";
import type { Config } from "../runtime/config.js";
import { bad, doubtful, type Examination, type Finding, good } from "../runtime/doctor/diagnose.js";
import { openGitHost } from "./git-host.js";

const TIMEOUT_MS = 8_000;
const REDIS_PATIENCE_MS = 2_000;
const REDIS_LOOK_MS = 50;

/** Under the names that breakers have: `slack`, `webhook/hook`. What is not configured is not among them. */
export function reachOf(
  config: Config,
  { routes }: Pick<PolicySet, "routes">,
  log: Logger,
): Examination[] {
  const { slack, pagerduty, github, redis, gitopsRepo } = config;
  const one = (is: boolean, what: string, examine: Examination["examine"]) =>
    is ? [{ what, examine, remedy: `see why ${what} does not answer` }] : [];
  const hasGitHub = github.token !== null || (github.app !== null && gitopsRepo !== null);
  return [
    ...one(redis !== null, "redis", () => lookAtRedis(config, log)),
    ...one(hasGitHub, "github", (signal) => lookAtGitHub(config, signal)),
    ...one(slack.botToken !== null, "slack", (signal) => lookAtSlack(config, signal)),
    ...one(pagerduty.token !== null, "pagerduty-incidents", (signal) =>
      lookAtPagerDuty(config, signal),
    ),
    ...one(pagerduty.routingKey !== null, "pagerduty", (signal) => lookAtEvents(config, signal)),
    ...Object.values(routes.receivers).flatMap((it) =>
      it.kind === "webhook"
        ? one(true, `webhook/${it.name}`, (signal) => lookAtHook(it.url, signal))
        : [],
    ),
  ];
}

async function lookAtRedis({ redis }: Config, log: Logger): Promise<Finding> {
  if (redis === null) return bad("it is not configured", "set REDIS_URL");
  // Late, so that a process without Redis does not load its client.
  const { connectRedis } = await import("../adapter/redis-connection.js");
  const clock = systemClock;
  const own = { name: "algobrain-look", clock, log, random: Math.random };
  const connection = connectRedis({ ...redis, ...own });
  try {
    const until = clock.now().getTime() + REDIS_PATIENCE_MS;
    while (clock.now().getTime() < until) {
      if (await connection.answers()) return good("it answers");
      await clock.sleep(REDIS_LOOK_MS);
    }
    return bad("no answer within 2 s", "is REDIS_URL right, and is the server up?");
  } finally {
    await connection.close();
  }
}

/** Of a classic token; others have permissions, which only what is refused shows. */
const GITHUB_SCOPES = ["repo", "read:org"] as const;
const IMPLIED: Readonly<Record<string, readonly string[]>> = {
  "read:org": ["read:org", "write:org", "admin:org"],
};

async function lookAtGitHub(config: Config, signal: AbortSignal): Promise<Finding> {
  const { token, apiUrl } = config.github;
  if (token === null) return good(`as ${(await openGitHost(config)?.whoAmI(signal)) ?? "nobody"}`);
  const answer = await ask("GITHUB", `${apiUrl}/user`, signal, {
    authorization: `Bearer ${token}`,
    accept: "application/vnd.github+json",
    "user-agent": "algobrain",
  });
  const who = textOf(objectOf(answer), "login");
  const header = answer.headers.get("x-oauth-scopes");
  if (header === null) return good(`as ${who}`);
  const scopes = header.split(",").map((scope) => scope.trim());
  const missing = GITHUB_SCOPES.filter(
    (scope) => !(IMPLIED[scope] ?? [scope]).some((it) => scopes.includes(it)),
  );
  const found = `as ${who}, scopes ${scopes.join(", ")}`;
  if (missing.length === 0) return good(found);
  return doubtful(found, `give the token the scope ${missing.join(" and ")}`);
}

async function lookAtSlack({ slack }: Config, signal: AbortSignal): Promise<Finding> {
  const base = (slack.apiUrl ?? "https://slack.com/api").replace(/\/$/, "");
  const headers = { authorization: `Bearer ${slack.botToken}` };
  const answer = await ask("SLACK", `${base}/auth.test`, signal, headers, "POST");
  const { ok, error, team, user } = objectOf(answer);
  if (ok !== true) return bad(`it says ${String(error)}`, "renew SLACK_BOT_TOKEN");
  const scopes = answer.headers.get("x-oauth-scopes");
  const may = scopes === null ? "" : `, scopes ${scopes}`;
  return good(`as ${String(user)} of ${String(team)}${may}`);
}

async function lookAtPagerDuty({ pagerduty }: Config, signal: AbortSignal): Promise<Finding> {
  const { apiUrl, token } = pagerduty;
  const answer = await ask(
    "PAGERDUTY",
    `${apiUrl ?? "https://api.pagerduty.com"}/users/me`,
    signal,
    { authorization: `Token token=${token}`, accept: "application/vnd.pagerduty+json;version=2" },
  );
  const { user } = objectOf(answer);
  return good(`as ${isJsonObject(user) ? textOf(user, "name") : "nobody"}`);
}

/** An event would wake somebody: that it answers at all is what can be known. */
async function lookAtEvents({ pagerduty }: Config, signal: AbortSignal): Promise<Finding> {
  return lookAtHook(pagerduty.eventsUrl ?? "https://events.pagerduty.com", signal);
}

async function lookAtHook(url: string, signal: AbortSignal): Promise<Finding> {
  const request = { system: "WEBHOOK", method: "GET", url, timeoutMs: TIMEOUT_MS } as const;
  const { status } = await sendHttp({ ...request, signal });
  return status >= 500
    ? bad(`it answers ${status}`, "see why on the other side")
    : good(`it answers (${status}); whether it takes what we send, only sending shows`);
}

/** Throws a Fault for every answer but a good one. */
async function ask(
  system: string,
  url: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>>,
  method: HttpRequest["method"] = "GET",
): Promise<HttpResponse> {
  const answer = await sendHttp({ system, method, url, headers, timeoutMs: TIMEOUT_MS, signal });
  const refused = faultOfStatus(system, answer, "the question");
  if (refused) throw refused;
  return answer;
}

function objectOf({ text }: HttpResponse): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw noObject(cause);
  }
  throw noObject();
}

function noObject(cause?: unknown) {
  return fault.transient("REACH_ANSWER_INVALID", "it answered something that is no JSON object", {
    cause,
  });
}

function textOf(object: JsonObject, name: string): string {
  const value = object[name];
  return typeof value === "string" ? value : "nobody";
}
