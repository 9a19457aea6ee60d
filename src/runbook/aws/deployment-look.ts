/** Whether a deployment works: what its services, its leader, its workers and its logs say, without changing anything. */
import { formatAge, MINUTE_MS } from "../../base/duration.js";
import type { AwsReader } from "../aws-port.js";
import type { RuntimeReader } from "../port.js";
import { judgeService } from "./wait.js";

export interface DeploymentLook {
  readonly what: string;
  /** `waiting`: it may still come right. */
  readonly state: "passed" | "waiting" | "failed";
  readonly found: string;
}

/** Part of every context of a runbook. */
export interface Looking {
  readonly aws: Pick<AwsReader, "place" | "service" | "heartbeat" | "logQuery">;
  readonly runtime: Pick<RuntimeReader, "liveWorkers" | "queues">;
  now(): Date;
}

export interface DeploymentWish {
  readonly services: readonly string[];
  /** 40 hexadecimal digits; absent: whichever runs, the same everywhere. */
  readonly tag?: string | undefined;
  /** Since when lines of errors count. */
  readonly since: Date;
  /** Lines of errors that are no reason to go back. */
  readonly errorsMax: number;
}

/** An orchestrator that has said nothing for this long is down (HB-cli-14, AR-05). */
const HEARTBEAT_FRESH_MS = MINUTE_MS;
/** Named, so that it can be read by that name. */
const COUNT_ERRORS = 'filter level = "error" or level = "fatal" | stats count(*) as errors';

/** In this order, so that the first that is not well is the one to look at. */
export async function lookAtDeployment(
  context: Looking,
  wish: DeploymentWish,
): Promise<readonly DeploymentLook[]> {
  const services = await Promise.all(
    wish.services.map((name) => lookAtService(context, name, wish.tag)),
  );
  const rest = await Promise.all([
    lookAtHeartbeat(context),
    lookAtWorkers(context),
    lookAtErrors(context, wish),
  ]);
  const tags = new Set(services.map(({ tag }) => tag));
  const looks = services.map(({ look }) => look);
  if (tags.size > 1)
    looks.push({
      ...{ what: "images", state: "failed" },
      found: `the services run different commits: ${services.map(({ look, tag }) => `${look.what} ${tag ?? "unknown"}`).join(", ")}`,
    });
  return [...looks, ...rest];
}

/** The worst, with the sentence that says it. */
export function judgeLooks(
  looks: readonly DeploymentLook[],
): Pick<DeploymentLook, "state" | "found"> {
  const bad =
    looks.find(({ state }) => state === "failed") ?? looks.find(({ state }) => state === "waiting");
  if (!bad) return { state: "passed", found: `${looks.length} looks found nothing wrong` };
  return { state: bad.state, found: `${bad.what}: ${bad.found}` };
}

async function lookAtService({ aws }: Looking, name: string, wanted: string | undefined) {
  const service = await aws.service(name);
  const tag = service.imageTag;
  const { state, text } = judgeService(service);
  if (wanted !== undefined && tag !== wanted) {
    const found = `it runs ${tag ?? service.image}, not ${wanted}`;
    return { tag, look: { what: name, state: "failed", found } satisfies DeploymentLook };
  }
  const word = state === "stable" ? "passed" : state === "late" ? "waiting" : "failed";
  return { tag, look: { what: name, state: word, found: text } satisfies DeploymentLook };
}

async function lookAtHeartbeat({ aws, now }: Looking): Promise<DeploymentLook> {
  const what = "heartbeat";
  const beat = await aws.heartbeat("orchestrator");
  if (beat === null) return { what, state: "waiting", found: "the orchestrator has never beaten" };
  const ageMs = now().getTime() - beat.at.getTime();
  const found = `the orchestrator worked ${formatAge(Math.max(ageMs, 0))} ago`;
  return { what, state: ageMs <= HEARTBEAT_FRESH_MS ? "passed" : "waiting", found };
}

async function lookAtWorkers({ runtime }: Looking): Promise<DeploymentLook> {
  const [live, queues] = await Promise.all([runtime.liveWorkers(), runtime.queues()]);
  const pending = queues.reduce((sum, it) => sum + it.pending, 0);
  const found = `${live} worker processes live, ${pending} jobs wait`;
  return { what: "workers", state: live > 0 ? "passed" : "waiting", found };
}

async function lookAtErrors({ aws, now }: Looking, wish: DeploymentWish): Promise<DeploymentLook> {
  const { services } = aws.place();
  const groups = wish.services.flatMap((name) => services[name]?.logGroup ?? []);
  const asked = { query: COUNT_ERRORS, from: wish.since, to: now(), limit: 1 };
  const { rows } = await aws.logQuery({ groups, ...asked });
  // No line at all makes no row.
  const errors = Number(rows[0]?.errors ?? 0);
  const found = `${errors} lines of errors, at most ${wish.errorsMax} are borne`;
  return { what: "errors", state: errors <= wish.errorsMax ? "passed" : "failed", found };
}
