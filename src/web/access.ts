/**
 * The one table that says which route needs what (design 6, X-24). Deny by default: a route that is
 * registered but not listed here stops the start. Who the caller is, is decided in token.ts.
 */
import type { PolicySet, Role } from "../policy/policy.js";
import { authorize } from "../runbook/authorize.js";
import type { Caller, Purpose } from "./token.js";

/**
 * `none`: anyone. `inside`: anyone inside the network, else a viewer. `signature`: the door itself
 * checks who signed. A role: a token with that role or a higher one. A purpose: a token that was made for
 * it, and no other, whatever its role.
 */
export type Need = "none" | "inside" | "signature" | Role | Purpose;

export interface RouteAccess {
  readonly need: Need;
  /** Writes are refused in safe mode unless they are how people get out of it (design 5, X-13). */
  readonly inSafeMode: "refused" | "allowed";
}

const read = (need: Need): RouteAccess => ({ need, inSafeMode: "allowed" });
const write = (need: Role | Purpose): RouteAccess => ({ need, inSafeMode: "refused" });
const rescue = (need: Role): RouteAccess => ({ need, inSafeMode: "allowed" });
const door: RouteAccess = { need: "signature", inSafeMode: "allowed" };

export const ACCESS: Readonly<Record<string, RouteAccess>> = {
  "GET /": read("none"),
  "GET /health": read("none"),
  "GET /api/health": read("none"),
  "GET /health/live": read("none"),
  "GET /documentation/json": read("none"),
  // Preflight carries no token; the CORS list decides.
  "OPTIONS *": read("none"),

  "GET /metrics": read("inside"),
  "GET /api/about/metrics/prometheus": read("inside"),

  "GET /api/v1/jobs": read("viewer"),
  "GET /api/v1/jobs/:id": read("viewer"),
  // Operators may post some kinds only: see roleToPost.
  "POST /api/v1/jobs": write("operator"),
  // Operators only where the access policy lets them: see mayRetry.
  "POST /api/v1/jobs/:id/retry": rescue("operator"),
  "POST /api/v1/jobs/:id/cancel": rescue("admin"),

  // Operators only to retry, and as far as the access policy lets them: see mayRetry.
  "POST /api/v1/jobs/bulk": rescue("operator"),
  "GET /api/v1/jobs/:id/why": read("viewer"),

  "GET /api/queue/stats": read("viewer"),
  "POST /api/queue/:name/pause": write("operator"),
  "POST /api/queue/:name/resume": write("operator"),
  "POST /api/queue/:name/clean": write("admin"),
  "POST /api/queue/pause-all": write("admin"),
  "POST /api/queue/resume-all": write("admin"),
  "POST /api/queue/clean-all": write("admin"),

  "GET /api/admin/cache-stats": read("admin"),
  "POST /api/cache/warm": write("admin"),

  "GET /api/monitoring/resilience": read("viewer"),
  "GET /api/telemetry/dashboard": read("viewer"),
  // Only where the environment is local; elsewhere there is no such route.
  "POST /api/test/generate": write("admin"),

  "POST /api/v1/safe-mode/exit": rescue("admin"),

  "GET /api/admin/circuit-breaker-status": read("viewer"),
  "POST /api/admin/reset-circuit-breaker": rescue("admin"),
  // Registered in local mode only.
  "POST /api/test/force-breaker-open": write("admin"),

  "GET /api/alerts/active": read("viewer"),
  "GET /api/alerts/history": read("viewer"),
  "GET /api/v1/alerts/:id/explain": read("viewer"),
  // Alertmanager's API, for amtool and its like. Holding alerts back, and letting them speak again, is a rescue.
  "GET /api/v2/status": read("viewer"),
  "GET /api/v2/receivers": read("viewer"),
  "GET /api/v2/alerts": read("viewer"),
  "GET /api/v2/silences": read("viewer"),
  "POST /api/v2/silences": rescue("operator"),
  "GET /api/v2/silence/:silenceID": read("viewer"),
  "DELETE /api/v2/silence/:silenceID": rescue("operator"),
  "GET /api/v1/alerts/digests/:id": read("viewer"),
  "POST /api/v1/samples": write("operator"),
  "GET /api/v1/samples/history": read("viewer"),
  "GET /api/v1/temporary-changes": read("viewer"),
  "GET /api/v1/incidents": read("viewer"),
  "POST /api/v1/incidents": rescue("operator"),
  "GET /api/v1/incidents/:number": read("viewer"),
  "GET /api/v1/incidents/:number/timeline": read("viewer"),
  "GET /api/v1/incidents/:number/post-mortem": read("viewer"),
  "POST /api/v1/incidents/:number/acknowledge": rescue("operator"),
  "POST /api/v1/incidents/:number/roles": rescue("operator"),
  "POST /api/v1/incidents/:number/notes": rescue("operator"),
  "POST /api/v1/incidents/:number/close": rescue("operator"),
  "GET /api/v1/runs": read("viewer"),
  "GET /api/v1/runs/:id": read("viewer"),
  "GET /api/v1/runs/:id/stream": read("viewer"),
  // Whether this runbook may be run by this caller, the access policy says: see store/submit-run.ts.
  "POST /api/v1/runs": rescue("operator"),
  "POST /api/v1/runs/:id/approve": rescue("operator"),
  "POST /api/v1/runs/:id/deny": rescue("operator"),
  "POST /api/v1/runs/:id/cancel": rescue("operator"),
  "POST /api/v1/runs/:id/undo": rescue("operator"),
  "GET /api/v1/locks": read("viewer"),
  "GET /api/v1/promotions": read("viewer"),
  "POST /api/v1/promotions/:runbook/reset": rescue("admin"),
  // Whoever is awake may stop; letting it all go on is for those who may do everything.
  "GET /api/v1/stop": read("viewer"),
  "POST /api/v1/stop": rescue("operator"),
  "DELETE /api/v1/stop": rescue("admin"),

  "GET /api/v1/config/gc": read("viewer"),
  // A pull request, not a change: still nothing that one does in safe mode.
  "PATCH /api/v1/config/gc": write("admin"),
  "POST /api/v1/config/changes": write("admin"),
  // Only sizes, only what a look has found, only so many: see runtime/propose-drift.ts.
  "POST /api/v1/drift/proposals": write("drift"),
  "GET /api/v1/policy": read("viewer"),
  "GET /api/v1/policy/bundles/:revision": read("viewer"),
  // What is handed in must be signed as well: a token alone changes no policy.
  "POST /api/v1/policy/bundles": rescue("admin"),
  "POST /api/v1/policy/bundles/:revision/release": rescue("admin"),
  "GET /api/v1/policy/overrides": read("viewer"),
  "POST /api/v1/policy/overrides": rescue("admin"),
  "DELETE /api/v1/policy/overrides/:id": rescue("admin"),

  "POST /api/v1/tokens/revocations": rescue("admin"),

  "POST /webhooks/github": door,
  "POST /webhooks/pagerduty": door,
  "POST /slack/commands": door,
  "POST /slack/interactions": door,
};

/** HEAD is answered by the GET route, so it needs the same. */
export function routeKey(method: string, url: string): string {
  return `${method === "HEAD" ? "GET" : method} ${url}`;
}

/** What a registered route needs. Throws when the table does not say: nothing is open by accident. */
export function accessOf(method: string, url: string): RouteAccess {
  const access = ACCESS[routeKey(method, url)];
  if (!access) {
    throw new Error(
      `route ${method} ${url} is not in the access table: add it to src/web/access.ts with what it needs`,
    );
  }
  return access;
}

/** EP-02: operators feed the index; everything that repairs, deletes or exports takes an admin. */
const OPERATOR_KINDS: readonly string[] = ["index", "score", "identity"];

export function roleToPost(kind: string): Role {
  return OPERATOR_KINDS.includes(kind) ? "operator" : "admin";
}

/**
 * EP-05: an admin, or whom the access policy lets run this runbook from the API without a second person: it is
 * the same act, and under two names it must not need two different roles.
 */
export function mayRetry(
  caller: Caller,
  policy: PolicySet,
  runbook: "rerun-job" | "rerun-failed-jobs" = "rerun-job",
): boolean {
  if (caller.role === "admin") return true;
  const actor = { name: caller.subject, role: caller.role, door: "api" } as const;
  const { decision } = authorize({
    actor,
    runbook: { name: runbook, danger: "V" },
    access: policy.access,
  });
  return decision === "allow";
}
