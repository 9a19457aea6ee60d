/** What the web room is given by main: ports and settings, never process.env and never another room of its level. */
import type { FastifyInstance } from "fastify";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import type { KindRegistry } from "../job/kinds.js";
import type { Cache } from "../job/port.js";
import type { Refusal } from "../policy/envelope-types.js";
import type { PolicySet } from "../policy/policy.js";
import type { ProposeChange } from "../review/change-request.js";
import type { ProposeDrift } from "../review/infra/drift-proposals.js";
import type { Journal } from "../runbook/journal.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import type { StopSwitchPort } from "../runbook/stop.js";
import type { Database } from "../store/database.js";
import type { BrokenInvariant } from "../store/invariants.js";
import type { PolicyOverride } from "../store/policy-overrides.js";
import type { HealthReport } from "./health.js";
import type { OidcSettings } from "./oidc.js";

export interface WebConfig {
  readonly environment: "local" | "staging" | "production";
  /** The first signs, all verify. */
  readonly jwtSecrets: readonly string[];
  /** Origins that browsers may call from (HB-env-26); none: no CORS at all. */
  readonly corsOrigins: readonly string[];
  /** ORCHESTRATOR_MAX_CONCURRENT_JOBS: public jobs at once over all processes (HB-env-10). */
  readonly jobsMax: number;
  /** HB-env-25. */
  readonly rateLimitPerMinute: number;
  /** Each is believed; none: the GitHub door answers 503. */
  readonly githubWebhookSecrets: readonly string[];
  /** Null: only our own tokens are believed. */
  readonly oidc: OidcSettings | null;
}

export interface ObservedRequest {
  readonly method: string;
  /** The route's pattern, never the path: `/api/v1/jobs/:id`, or `unmatched`. */
  readonly route: string;
  readonly status: number;
  /** Code of the problem document; null when the answer was none. */
  readonly problem: string | null;
  readonly durationMs: number;
}

export interface WebMetrics {
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
  observeRequest(request: ObservedRequest): void;
}

/** Ends safe mode when the data is whole, or all the same with `force`. */
export type LeaveSafeMode = (request: {
  readonly by: string;
  readonly reason: string;
  readonly force: boolean;
}) => Promise<
  | { readonly outcome: "left" | "was-off" }
  | { readonly outcome: "checks-failed"; readonly broken: readonly BrokenInvariant[] }
>;

/** What a person may order of breakers; every process knows within a second. */
export interface BreakerOrders {
  /** Names of those that changed; null when there is none of that name. Null as name: all of them. */
  reset(request: {
    readonly dependency: string | null;
    readonly by: string;
    readonly reason: string;
    readonly gate: boolean;
  }): Promise<readonly string[] | null>;
  forceOpen(request: {
    readonly dependency: string;
    readonly by: string;
    readonly durationMs: number;
  }): Promise<void>;
}

/** Counts a request of a caller over all processes; null: it cannot at the moment, and each counts alone. */
export type CountHit = (
  caller: string,
  windowMs: number,
) => Promise<{ readonly count: number; readonly endsInMs: number } | null>;

export type PublishAnswer =
  | { readonly outcome: "stored" | "known"; readonly revision: number }
  | { readonly outcome: "refused"; readonly refusal: Refusal; readonly sentence: string };

/** Takes a signed envelope as it would be found at POLICY_SOURCE. */
export type PublishEnvelope = (text: string, by: string) => Promise<PublishAnswer>;

/** Emergency settings: their answers are those of runtime/override-policy. */
export interface PolicyOverrides {
  begin(wanted: {
    readonly path: string;
    readonly value: string | number | boolean;
    readonly reason: string;
    readonly owner: string;
    readonly forMs: number;
    readonly by: string;
  }): Promise<
    | {
        readonly outcome: "begun";
        readonly override: PolicyOverride;
        readonly writeBack: { readonly url: string } | { readonly none: string };
      }
    | { readonly outcome: "taken" }
    | { readonly outcome: "refused"; readonly sentence: string }
  >;
  /** Null when it had ended, or never was. */
  end(id: number, by: string): Promise<PolicyOverride | null>;
}

/** What holds against the policy: the same as runtime/policy-overrides says in /health. */
export interface DriftFact {
  readonly name: string;
  readonly policyValue: string | number | boolean | null;
  readonly value: string | number | boolean | null;
  readonly override?: {
    readonly id: number;
    readonly owner: string;
    readonly reason: string;
    readonly until: string;
  };
  readonly unusable?: string;
}

export interface WebDeps {
  readonly db: Database;
  readonly log: Logger;
  readonly clock: Clock;
  readonly registry: KindRegistry;
  /** The policy in force now: it may be another one at the next request. */
  readonly policy: () => PolicySet;
  readonly config: WebConfig;
  /** Of this process, at this moment. */
  readonly drift: () => readonly DriftFact[];
  health(): Promise<HealthReport>;
  readonly leaveSafeMode: LeaveSafeMode;
  readonly breakers: BreakerOrders;
  readonly metrics: WebMetrics;
  readonly cache: Cache;
  /** Loads `limit` records into the cache: entries that there are, and how many it kept. */
  readonly warmCache: (limit: number) => Promise<{ entries: number; kept: number }>;
  /** Null: this process is alone, or has nothing to share a count by. */
  readonly countHit: CountHit | null;
  /** Absent: this process changes no policy. */
  readonly overrides?: PolicyOverrides;
  /** Absent: this process takes no bundles. */
  readonly publishEnvelope?: PublishEnvelope;
  /** Null: there is no repository, or no credentials for it. */
  readonly proposeChange: ProposeChange | null;
  /** As `proposeChange`; absent: this process takes no drift. */
  readonly proposeDrift?: ProposeDrift | null;
  /** The runbooks that may be asked for. */
  readonly runbooks: RunbookRegistry;
  readonly stop: StopSwitchPort;
  /** Keeps deliveries while the database is away; null or absent: their sender hears that nothing was kept. */
  readonly journal?: Journal | null | undefined;
  /** Of the repository of the runbooks; null: not known. */
  readonly commit: string | null;
  /** Registers the signed doors of the bot room; their routes are in the access table. */
  readonly doors?: (app: FastifyInstance) => void | Promise<void>;
}
