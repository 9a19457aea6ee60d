/** The HTTP side: the API, the signed doors, health and metrics, and the samples that only this process can take. */

import { createHash } from "node:crypto";
import type { AddressInfo } from "node:net";
import { startSlackSocket } from "../adapter/slack-socket.js";
import type { MetricsSink } from "../alert/port.js";
import { errorMessage, fault } from "../base/fault.js";
import type { DoorDeps } from "../bot/deps.js";
import { routes as botRoutes } from "../bot/routes.js";
import { acceptSlack } from "../bot/slack-accept.js";
import { forceBreakerOpen, resetBreakers } from "../runtime/breaker-orders.js";
import { readHealth } from "../runtime/health.js";
import { leaveSafeMode } from "../runtime/leave-safe-mode.js";
import { beginOverride, endOverrideNow } from "../runtime/override-policy.js";
import { receiveBundle } from "../runtime/receive-bundle.js";
import { API_SOURCE } from "../runtime/sample/api.js";
import { collectSamplesTick } from "../runtime/tick/collect-samples.js";
import { runTicks } from "../runtime/ticker.js";
import type { PolicyOverrides, PublishEnvelope, WebDeps } from "../web/deps.js";
import { createServer } from "../web/server.js";
import type { Caching } from "./caching.js";
import type { Foundation } from "./foundation.js";
import { createRegistry } from "./kinds.js";
import { type PolicyOrigin, readPublished } from "./policy.js";
import { createChangeProposer, createDriftProposer } from "./ports.js";
import { loadRunbooks } from "./runbooks.js";
import { createApiSources } from "./samples.js";
import { WORKLOAD } from "./workload.js";

export interface Api {
  /** Where it listens. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface ApiOptions {
  readonly caching: Caching;
  readonly origin: PolicyOrigin;
  /** Where what is measured goes besides our store; null: nowhere. */
  readonly sink: MetricsSink | null;
  readonly samplesEveryMs?: number | undefined;
}

export async function startApi(
  foundation: Foundation,
  { caching, origin, sink, samplesEveryMs }: ApiOptions,
): Promise<Api> {
  const { cache, countHit, redis } = caching;
  const { config, db } = foundation;
  const proposeChange = createChangeProposer(foundation);
  const doors = await doorsOf(foundation);
  const app = await createServer({
    ...foundation,
    registry: createRegistry(),
    config: {
      environment: config.environment,
      jwtSecrets: config.auth.jwtSecrets ?? [],
      corsOrigins: config.http.corsOrigins,
      jobsMax: config.orchestrator.maxConcurrentJobs,
      rateLimitPerMinute: config.http.rateLimitPerMinute,
      githubWebhookSecrets: config.github.webhookSecrets,
      oidc: config.oidc,
    },
    health: () => readHealth({ ...foundation, redis }),
    leaveSafeMode: (request) => leaveSafeMode(foundation, request),
    breakers: {
      reset: (request) => resetBreakers(foundation, request),
      forceOpen: (request) => forceBreakerOpen(foundation, request),
    },
    cache,
    countHit,
    warmCache: (limit) =>
      WORKLOAD.warmCache({ db, cache, lifetimes: () => foundation.policy().cache }, limit),
    proposeChange,
    proposeDrift: createDriftProposer(foundation),
    runbooks: await loadRunbooks(),
    stop: foundation.stop,
    journal: foundation.journal,
    commit: foundation.commit,
    overrides: overridesOf(foundation, proposeChange),
    doors: (app) => botRoutes(app, doors),
    publishEnvelope: publishingOf(foundation, origin),
  });
  await listen(app, config.http);
  const socket = openSocket(foundation, doors);
  const stopped = new AbortController();
  const sampling = runTicks(
    [
      collectSamplesTick({
        ...foundation,
        sources: createApiSources(foundation),
        sink,
        source: `${API_SOURCE}${foundation.holder}`,
        everyMs: samplesEveryMs,
      }),
    ],
    foundation,
    stopped.signal,
  );
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://${inUrl(config.http.host)}:${port}`,
    stop: async () => {
      await socket?.stop();
      await app.close();
      stopped.abort();
      await sampling;
    },
  };
}

function overridesOf(
  foundation: Foundation,
  proposeChange: WebDeps["proposeChange"],
): PolicyOverrides {
  const { db, notify } = foundation;
  const load = () => readPublished(db);
  return {
    begin: (wanted) => beginOverride({ db, notify, load, proposeChange }, wanted),
    end: (id, by) => endOverrideNow({ db, notify }, id, by),
  };
}

/** A bundle that a person hands in is believed by its signature, as one that is found. */
function publishingOf(foundation: Foundation, { keys }: PolicyOrigin): PublishEnvelope {
  const { system, environment } = foundation.policyHolder.inForce().set;
  return (text, by) => {
    const tag = createHash("sha256").update(text).digest("hex");
    const found = { text, tag, by, source: "api" };
    return receiveBundle({ ...foundation, keys, system, environment }, found);
  };
}

/** Throws a refused Fault when the address is not to be had: the commonest mistake of a second start. */
async function listen(
  app: Awaited<ReturnType<typeof createServer>>,
  { host, port }: Foundation["config"]["http"],
): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") {
      throw fault.refused("PORT_TAKEN", `another process listens on ${inUrl(host)}:${port}`, {
        hint: "stop it, or choose another port with --port or PORT",
      });
    }
    throw fault.refused(
      "ADDRESS_UNUSABLE",
      `cannot listen on ${inUrl(host)}:${port}: ${errorMessage(error)}`,
      { hint: "HOST is an address of this machine, and ports below 1024 may need more rights" },
    );
  }
}

/** An IPv6 address stands in brackets. */
function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

async function doorsOf(foundation: Foundation): Promise<DoorDeps> {
  const { config, db, clock, log } = foundation;
  return {
    db,
    clock,
    log,
    registry: await loadRunbooks(),
    slackSigningSecret: config.slack.signingSecret,
    pagerdutySecrets: config.pagerduty.webhookSecrets,
    policy: foundation.policy,
    stop: foundation.stop,
    journal: foundation.journal,
  };
}

/** Commands over a socket of our own making, where Slack cannot reach us; null without an app token. */
function openSocket({ config, clock, log, random }: Foundation, doors: DoorDeps) {
  const { appToken, apiUrl } = config.slack;
  if (appToken === null) return null;
  return startSlackSocket({
    ...{ appToken, apiUrl, clock, log, random },
    accept: (kind, fields) => acceptSlack(doors, kind, fields),
  });
}
