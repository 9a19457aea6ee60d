/** The real server on a real database, without a socket: requests are injected. */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from "fastify";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { systemClock } from "../../src/base/clock.js";
import { HOUR_MS } from "../../src/base/duration.js";
import { fault } from "../../src/base/fault.js";
import { silentLogger } from "../../src/base/log.js";
import type { Role } from "../../src/policy/policy.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import type { Database } from "../../src/store/database.js";
import type { ObservedRequest, WebConfig, WebDeps } from "../../src/web/deps.js";
import { createServer } from "../../src/web/server.js";
import { signToken } from "../../src/web/token.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { testKinds } from "./kinds.js";

export const SECRET = "a-secret-for-tests-that-is-long-enough";
export const GITHUB_SECRET = "It's a Secret to Everybody";

export interface Api {
  readonly app: FastifyInstance;
  readonly db: Database;
  readonly observed: ObservedRequest[];
  /** With a token of this role; null: without. */
  as(role: Role | null, request: InjectOptions): Promise<LightMyRequestResponse>;
}

export type Overrides = Partial<Omit<WebDeps, "config">> & { readonly config?: Partial<WebConfig> };

export function makeDeps(db: Database, overrides: Overrides = {}): WebDeps {
  return {
    db,
    log: silentLogger,
    clock: systemClock,
    registry: testKinds,
    policy: () => makePolicy(),
    drift: () => [],
    health: async () => ({
      status: "healthy",
      timestamp: systemClock.now().toISOString(),
      services: { database: "up", redis: "memory", orchestrator: "up", workers: 2 },
    }),
    leaveSafeMode: async () => ({ outcome: "was-off" }),
    breakers: { reset: async () => [], forceOpen: async () => {} },
    metrics: {
      render: async () => ({ contentType: "text/plain; version=0.0.4", body: "up 1\n" }),
      observeRequest: () => {},
    },
    cache: createMemoryCache(systemClock),
    warmCache: async () => ({ entries: 0, kept: 0 }),
    countHit: null,
    proposeChange: null,
    runbooks: new RunbookRegistry([]),
    commit: null,
    stop: {
      read: async () => null,
      readLocal: () => null,
      set: async () => ({ file: true, database: true }),
      clear: async () => ({ file: true, database: true }),
    },
    ...overrides,
    config: {
      environment: "local",
      jwtSecrets: [SECRET],
      corsOrigins: [],
      jobsMax: 100,
      rateLimitPerMinute: 10_000,
      githubWebhookSecrets: [GITHUB_SECRET],
      oidc: null,
      ...overrides.config,
    },
  };
}

const unreachable = () =>
  Promise.reject(fault.transient("DATABASE_UNAVAILABLE", "connect ECONNREFUSED 10.1.2.3:5432"));

export const noDatabase: Database = {
  query: unreachable,
  transaction: unreachable,
  connect: unreachable,
  close: async () => {},
};

/** For what needs no database: a server alone. */
export async function withServer(
  test: (app: FastifyInstance) => Promise<void>,
  overrides: Overrides = {},
): Promise<void> {
  const app = await createServer(makeDeps(noDatabase, overrides));
  try {
    await test(app);
  } finally {
    await app.close();
  }
}

export async function withApi(
  test: (api: Api) => Promise<void>,
  overrides: Overrides = {},
): Promise<void> {
  await withDatabase(async (db) => {
    const observed: ObservedRequest[] = [];
    const deps = makeDeps(db, overrides);
    const app = await createServer({
      ...deps,
      metrics: { ...deps.metrics, observeRequest: (request) => observed.push(request) },
    });
    try {
      await test({ app, db, observed, as: (role, request) => injectAs(app, role, request) });
    } finally {
      await app.close();
    }
  });
}

/** With a token of this role; null: without. */
export async function injectAs(
  app: FastifyInstance,
  role: Role | null,
  request: InjectOptions,
): Promise<LightMyRequestResponse> {
  if (role === null) return app.inject(request);
  const token = await tokenFor(role);
  return app.inject({
    ...request,
    headers: { authorization: `Bearer ${token}`, ...request.headers },
  });
}

export function tokenFor(role: Role): Promise<string> {
  const now = systemClock.now();
  return signToken({ subject: `test-${role}`, role, ttlMs: HOUR_MS, now }, [SECRET]);
}

const WATCHED = [
  "public.jobs",
  "public.audit_log",
  "public.events",
  "control.inbound",
  "control.queue_pause",
  "control.safe_mode",
] as const;

/** Count and digest of each table that a request could change: equal means nothing happened. */
export async function fingerprint(db: Database): Promise<Record<string, string>> {
  const prints: Record<string, string> = {};
  for (const table of WATCHED) {
    const { rows } = await db.query<{ print: string }>(
      `SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') AS print FROM ${table} t`,
    );
    prints[table] = rows[0]?.print ?? "";
  }
  return prints;
}
