/**
 * In every process: works from now on with what is in force, whole or not at all, and says with what it works. A row
 * that cannot be read leaves the process with the policy that it has.
 */
import { errorMessage, Fault } from "../../base/fault.js";
import type { Database } from "../../store/database.js";
import { listActiveOverrides, readPolicyMark } from "../../store/policy-overrides.js";
import { notePolicyProcess } from "../../store/policy-processes.js";
import type { Emit } from "../events.js";
import type { PolicyHolder } from "../policy-holder.js";
import type { PolicyInForce } from "../policy-in-force.js";
import type { Tick } from "../ticker.js";

export interface FollowPolicyDeps {
  readonly db: Database;
  readonly emit: Emit;
  readonly policyHolder: PolicyHolder;
  /** Loads what is in force now. Throws a critical Fault when the row is not what its digest says. */
  readonly load: () => Promise<PolicyInForce>;
  /** This process, e.g. `host:123:9f3a`. */
  readonly holder: string;
  /** `all`, `worker-general`. */
  readonly role: string;
}

/** With the leader's own two and the trial's three seconds, well inside the ten in which all must have followed. */
const EVERY_MS = 2_000;
/** Whoever has not said for a minute with what it works is taken for gone. */
const SAY_EVERY_MS = 20_000;

/** Follows at once; throws when the database does not answer. Told: a row that cannot be worked with. */
export function createFollow(deps: FollowPolicyDeps): (now: Date) => Promise<void> {
  const { policyHolder } = deps;
  /** A broken row is told once, not at every look. */
  let refused: string | null = null;
  let saidAtMs = Number.NEGATIVE_INFINITY;
  let followed = markOf({ revision: policyHolder.inForce().revision, overrides: "" });
  return async (now) => {
    const newest = await readPolicyMark(deps.db);
    if (newest !== null && markOf(newest) !== followed && markOf(newest) !== refused) {
      if (await take(deps)) followed = markOf(newest);
      else refused = markOf(newest);
      saidAtMs = Number.NEGATIVE_INFINITY;
    }
    if (now.getTime() - saidAtMs < SAY_EVERY_MS) return;
    await say(deps);
    saidAtMs = now.getTime();
  };
}

/** What is in force, and which emergency settings lie over it. */
function markOf({ revision, overrides }: { revision: number; overrides: string }): string {
  return `${revision}/${overrides}`;
}

export function followPolicyTick(follow: (now: Date) => Promise<void>): Tick {
  return { name: "follow-policy", everyMs: EVERY_MS, run: (now) => follow(now) };
}

/** False when what is in force cannot be worked with. */
async function take({ db, policyHolder, emit, load }: FollowPolicyDeps): Promise<boolean> {
  try {
    const next = await load();
    const overrides = await listActiveOverrides(db);
    policyHolder.swap(next, overrides);
    const { revision: in_force, digest } = next;
    emit({ event: "policy.followed", in_force, digest, overrides: overrides.length });
    return true;
  } catch (error) {
    // The database is away: at the next look it may be back.
    if (!(error instanceof Fault) || error.kind === "transient") throw error;
    const in_force = policyHolder.inForce().revision;
    emit({ event: "policy.follow-failed", in_force, error: errorMessage(error) });
    return false;
  }
}

async function say({ db, policyHolder, holder, role }: FollowPolicyDeps): Promise<void> {
  const { revision, digest } = policyHolder.inForce();
  await notePolicyProcess(db, { process: holder, role, revision, digest });
}
