/** Metrics of one process for a scraper (EP-24). The only file that knows prom-client. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Clock } from "../base/clock.js";
import type { Metric } from "../policy/policy.js";
import type { TalliedJobs } from "../store/job-tally.js";
import type { PolicySummary } from "../store/policy-summary.js";
import type { Round } from "../store/sample-rounds.js";
import { type ApiStats, ApiTally } from "./api-stats.js";
import type { RuntimeEvent } from "./events.js";
import { renderRounds } from "./exposition.js";
import { renderTally } from "./job-tally.js";

export interface ObservedRequest {
  readonly method: string;
  /** The route's pattern, never the path: a label value per id would grow without end. */
  readonly route: string;
  readonly status: number;
  /** Code of the problem document; null when the answer was none. */
  readonly problem: string | null;
  readonly durationMs: number;
}

/** What the database knows at scrape time: pending and running jobs by kind. */
export interface JobGauge {
  readonly jobType: string;
  readonly status: string;
  readonly count: number;
}

export interface PolicyFigures {
  readonly summary: PolicySummary | null;
  readonly processes: readonly { readonly digest: string; readonly count: number }[];
  readonly refusals: readonly { readonly refusal: string; readonly count: number }[];
}

export interface Metrics {
  /** A listener for `createEmit`. */
  observeEvent(event: RuntimeEvent): void;
  observeRequest(request: ObservedRequest): void;
  /** What this process has counted of its answers. */
  apiStats(): ApiStats;
  /** Exposition text and its content type. */
  render(): Promise<{ contentType: string; body: string }>;
}

export interface MetricsOptions {
  readonly clock: Clock;
  /** Asked at each scrape. When it fails, the rest is still served and the failure is counted. */
  readonly readJobs?: () => Promise<readonly JobGauge[]>;
  /** Which policies are on their way, and which is in force; likewise. */
  readonly readPolicy?: () => Promise<PolicyFigures>;
  /** What all processes have counted; likewise. */
  readonly readTally?: () => Promise<readonly TalliedJobs[]>;
  /** The newest round of each source; likewise. */
  readonly readSamples?: () => Promise<readonly Round[]>;
  /** The catalogue of the policy in force: what the samples are named by. */
  readonly catalogue?: () => Readonly<Record<string, Metric>>;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const ofProcess = new ProcessMetrics(registry, options.clock);
  const runtime = runtimeMetrics(registry);
  const policies = new PolicyMetrics(registry);
  const api = new ApiTally(options.clock);
  const requests = new Histogram({
    name: "algobrain_http_request_duration_seconds",
    help: "Answered requests by route and status.",
    labelNames: ["method", "route", "status"],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  return {
    observeEvent: (event) => countEvent(runtime, event),
    observeRequest: (request) => {
      const beganMs = performance.now();
      const { method, route, status, durationMs } = request;
      requests.observe({ method, route, status }, durationMs / 1_000);
      api.observe(request);
      api.addOverhead(performance.now() - beganMs);
    },
    apiStats: () => api.read(),
    render: async () => {
      await ofProcess.begun();
      await refreshJobs(runtime, options.readJobs);
      await policies.refresh(options.readPolicy, () => runtime.readErrors.inc());
      const [tally, samples] = await Promise.all([
        textOf(runtime, options.readTally, renderTally),
        textOf(runtime, options.readSamples, (rounds) =>
          renderRounds(rounds, options.catalogue?.() ?? {}),
        ),
      ]);
      const body = `${await registry.metrics()}${tally}${samples}`;
      return { contentType: registry.contentType, body };
    },
  };
}

/** A first value of each is there by then. */
const FIRST_VALUES_MS = 50;

/**
 * CPU, memory, garbage, delay of the event loop. They are measured from the first scrape on: the delay is by a
 * timer of 100 Hz, which costs an idle process half of what it uses, and most processes are never scraped.
 */
class ProcessMetrics {
  readonly #registry: Registry;
  readonly #clock: Clock;
  #begun: Promise<void> | null = null;

  constructor(registry: Registry, clock: Clock) {
    this.#registry = registry;
    this.#clock = clock;
  }

  begun(): Promise<void> {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  #begin(): Promise<void> {
    collectDefaultMetrics({ register: this.#registry });
    return this.#clock.sleep(FIRST_VALUES_MS);
  }
}

/** Published, in force, held and failed apart: a dashboard sees a policy that does not arrive. */
class PolicyMetrics {
  readonly #revision: Gauge;
  readonly #processes: Gauge;
  readonly #refusals: Counter;
  readonly #overrides: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    const gauge = (name: string, help: string, labelNames: string[]) =>
      new Gauge({ name, help, labelNames, registers });
    this.#revision = gauge("algobrain_policy_revision", "Signed revisions of the policy.", [
      "state",
    ]);
    this.#processes = gauge("algobrain_policy_processes", "Live processes by their policy.", [
      "digest",
    ]);
    this.#refusals = new Counter({
      ...{ name: "algobrain_policy_refusals_total", help: "Bundles refused at the door." },
      ...{ labelNames: ["refusal"], registers },
    });
    this.#overrides = gauge("algobrain_policy_overrides", "Emergency settings in force.", []);
  }

  async refresh(read: MetricsOptions["readPolicy"], onError: () => void): Promise<void> {
    if (read === undefined) return;
    try {
      this.#set(await read());
    } catch {
      onError();
    }
  }

  /** Counted in the database, so each scrape says the whole. */
  #set({ summary, processes, refusals }: PolicyFigures): void {
    for (const metric of [this.#revision, this.#processes, this.#refusals]) metric.reset();
    for (const state of ["published", "adopted", "held", "waiting", "failed"] as const)
      this.#revision.set({ state }, summary?.[state] ?? 0);
    for (const { digest, count } of processes) this.#processes.set({ digest }, count);
    for (const { refusal, count } of refusals) this.#refusals.inc({ refusal }, count);
    this.#overrides.set(summary?.overrides ?? 0);
  }
}

type RuntimeMetrics = ReturnType<typeof runtimeMetrics>;

function runtimeMetrics(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  return {
    healing: counter("algobrain_healdec_actions_total", "Healing actions.", [
      "failure_type",
      "strategy",
    ]),
    ticks: counter(
      "algobrain_ticks_total",
      "Repeated works of this process, such as those of the orchestrator.",
      ["tick", "outcome"],
    ),
    jobs: new Gauge({
      name: "algobrain_jobs",
      help: "Jobs by type and status in the database.",
      labelNames: ["job_type", "status"],
      registers,
    }),
    readErrors: counter("algobrain_metrics_read_errors_total", "Scrapes without job counts.", []),
  };
}

/** Events about processes and leases are log lines only; their numbers are in the database, and so is the tally of jobs. */
function countEvent(metrics: RuntimeMetrics, happened: RuntimeEvent): void {
  if (happened.event === "healdec.acted") {
    const { failure_type, strategy } = happened;
    metrics.healing.inc({ failure_type, strategy });
  }
  if (happened.event === "tick.completed")
    metrics.ticks.inc({ tick: happened.tick, outcome: "ok" });
  if (happened.event === "tick.failed")
    metrics.ticks.inc({ tick: happened.tick, outcome: "failed" });
}

async function refreshJobs(
  metrics: RuntimeMetrics,
  readJobs: MetricsOptions["readJobs"],
): Promise<void> {
  if (readJobs === undefined) return;
  try {
    const rows = await readJobs();
    metrics.jobs.reset();
    for (const { jobType, status, count } of rows) {
      metrics.jobs.set({ job_type: jobType, status }, count);
    }
  } catch {
    metrics.readErrors.inc();
  }
}

/** Nothing, and a count of it, when the database is silent. */
async function textOf<T>(
  metrics: RuntimeMetrics,
  read: (() => Promise<T>) | undefined,
  render: (found: T) => string,
): Promise<string> {
  if (read === undefined) return "";
  try {
    return render(await read());
  } catch {
    metrics.readErrors.inc();
    return "";
  }
}
