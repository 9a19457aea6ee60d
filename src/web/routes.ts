/** All routes of the API. Each file registers its own; what each needs stands in access.ts. */
import type { FastifyInstance, FastifyPluginAsync, FastifyPluginCallback } from "fastify";
import type { WebDeps } from "./deps.js";
import { alertExplainRoutes } from "./route/alert-explain.js";
import { alertmanagerRoutes } from "./route/alertmanager.js";
import { alertmanagerAlertRoutes } from "./route/alertmanager-alerts.js";
import { alertRoutes } from "./route/alerts.js";
import { allQueueRoutes } from "./route/all-queues.js";
import { breakerRoutes } from "./route/breakers.js";
import { cacheRoutes } from "./route/cache.js";
import { configRoutes } from "./route/config.js";
import { digestRoutes } from "./route/digests.js";
import { driftProposalRoutes } from "./route/drift-proposals.js";
import { githubRoutes } from "./route/github.js";
import { incidentRoutes } from "./route/incidents.js";
import { jobActionRoutes } from "./route/job-actions.js";
import { jobBulkRoutes } from "./route/job-bulk.js";
import { jobWhyRoutes } from "./route/job-why.js";
import { jobRoutes } from "./route/jobs.js";
import { lockRoutes } from "./route/locks.js";
import { monitoringRoutes } from "./route/monitoring.js";
import { policyRoutes } from "./route/policy.js";
import { policyOverrideRoutes } from "./route/policy-overrides.js";
import { promotionRoutes } from "./route/promotions.js";
import { queueRoutes } from "./route/queues.js";
import { runActionRoutes } from "./route/run-actions.js";
import { runStreamRoutes } from "./route/run-stream.js";
import { runRoutes } from "./route/runs.js";
import { safeModeRoutes } from "./route/safe-mode.js";
import { sampleRoutes } from "./route/samples.js";
import { statusRoutes } from "./route/status.js";
import { stopRoutes } from "./route/stop.js";
import { temporaryChangeRoutes } from "./route/temporary-changes.js";
import { testJobRoutes } from "./route/test-job.js";
import { tokenRoutes } from "./route/tokens.js";

type Register = (app: FastifyInstance, deps: WebDeps) => void;

const API: readonly Register[] = [
  statusRoutes,
  jobRoutes,
  jobActionRoutes,
  jobBulkRoutes,
  jobWhyRoutes,
  queueRoutes,
  allQueueRoutes,
  alertRoutes,
  alertExplainRoutes,
  digestRoutes,
  sampleRoutes,
  alertmanagerRoutes,
  alertmanagerAlertRoutes,
  incidentRoutes,
  temporaryChangeRoutes,
  runRoutes,
  runActionRoutes,
  runStreamRoutes,
  lockRoutes,
  stopRoutes,
  promotionRoutes,
  safeModeRoutes,
  configRoutes,
  driftProposalRoutes,
  policyRoutes,
  policyOverrideRoutes,
  cacheRoutes,
  breakerRoutes,
  monitoringRoutes,
  testJobRoutes,
  tokenRoutes,
  githubRoutes,
];

export async function routes(app: FastifyInstance, deps: WebDeps): Promise<void> {
  for (const register of API) await app.register(inOwnScope(register, deps));
  if (deps.doors) await app.register(withoutReaders(deps.doors));
}

/** How a door reads bodies is nobody else's business. */
function inOwnScope(register: Register, deps: WebDeps): FastifyPluginCallback {
  return (scope, _, done) => {
    register(scope, deps);
    done();
  };
}

/** Signatures are over raw bytes, so the signed doors bring their own readers of bodies. */
function withoutReaders(doors: NonNullable<WebDeps["doors"]>): FastifyPluginAsync {
  return async (scope) => {
    scope.removeAllContentTypeParsers();
    await doors(scope);
  };
}
