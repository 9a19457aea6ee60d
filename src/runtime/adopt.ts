/**
 * Decides on the newest bundle, under the orchestrator's lease: it waits for an image, is refused, is held for a
 * person, or is tried by this process and then put in force for all. Each decision is one transaction that carries
 * its own condition, so two leaders cannot both decide.
 */
import type { Clock } from "../base/clock.js";
import { type Fault, fault } from "../base/fault.js";
import { formatProblem } from "../base/problem.js";
import { policyDigest } from "../policy/digest.js";
import { describeMissing, missingFrom } from "../policy/envelope.js";
import type { Envelope, Requires } from "../policy/envelope-types.js";
import { loadFromRaw } from "../policy/from-raw.js";
import type { Held } from "../policy/harm/held.js";
import type { PolicySet } from "../policy/policy.js";
import type { Database, Sql } from "../store/database.js";
import { addPolicyRevision } from "../store/policies.js";
import {
  type BundleStatus,
  hasBundles,
  listBundles,
  readNewestBundle,
  readStoredEnvelope,
  type StoredBundle,
  setBundleStatus,
} from "../store/policy-bundles.js";
import type { Emit } from "./events.js";
import type { FailedTick, FailedTicks } from "./failed-ticks.js";
import { foreseeHarm } from "./foresee-harm.js";
import type { PolicyHolder } from "./policy-holder.js";
import type { PolicyInForce } from "./policy-in-force.js";
import { wordOfHeld, wordOfRefused, wordOfWaiting } from "./policy-word.js";
import type { RuntimeNotify, RuntimeWord } from "./runtime-word.js";

export interface AdoptDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly notify: RuntimeNotify;
  readonly policyHolder: PolicyHolder;
  readonly failedTicks: FailedTicks;
  /** What this program understands and brings along. */
  readonly have: Requires;
  /** Works from then on with what is in force. */
  readonly follow: (now: Date) => Promise<void>;
}

/** One decision, or nothing to decide. */
export type Adopter = (now: Date, signal: AbortSignal) => Promise<void>;

const UNDECIDED: readonly BundleStatus[] = ["published", "waiting", "canary"];
/** A tick may fail for reasons of its own; three trials do not. */
const TRIALS = 3;
const PROBLEMS_TOLD = 3;

export function createAdopter(deps: AdoptDeps): Adopter {
  /** Trials that went wrong, by revision. */
  const failed = new Map<number, number>();
  return async (now, signal) => {
    const bundle = await nextBundle(deps.db);
    if (bundle === null) return;
    // The candidate is compared with what is in force, so that must be what this process works with.
    await deps.follow(now);
    const envelope = await readStoredEnvelope(deps.db, bundle.revision);
    if (envelope === null) return;
    const set = await understand(deps, bundle, envelope);
    if (set === null || !(await passHarm(deps, { bundle, envelope, set }, now))) return;
    const { sections } = envelope.bundle;
    const failures = await tryOut(deps, bundle, { set, sections }, signal);
    if (signal.aborted) return;
    if (failures.length === 0) return putInForce(deps, { bundle, envelope, set });
    failed.set(bundle.revision, (failed.get(bundle.revision) ?? 0) + 1);
    if (failed.get(bundle.revision)! < TRIALS) return;
    const sentence = failures.map(({ tick, error }) => `${tick}: ${error}`).join("; ");
    await refuse(
      deps,
      { ...bundle, status: "canary" },
      `it was tried ${TRIALS} times: ${sentence}`,
    );
  };
}

/** The newest that was believed, while it is undecided; older ones have lost their turn. */
async function nextBundle(db: Database): Promise<StoredBundle | null> {
  if (!(await hasBundles(db, UNDECIDED))) return null;
  const undecided = await listBundles(db, { limit: 10, statuses: UNDECIDED });
  if (undecided.length === 0) return null;
  const newest = await readNewestBundle(db);
  for (const { revision, status } of undecided) {
    if (revision === newest?.revision) continue;
    const reason = `revision ${newest?.revision} came after it`;
    await db.transaction((tx) => setBundleStatus(tx, revision, status, "superseded", { reason }));
  }
  return undecided.find(({ revision }) => revision === newest?.revision) ?? null;
}

/** Null: not by this program, or by none. */
async function understand(
  deps: AdoptDeps,
  bundle: StoredBundle,
  { bundle: { requires, sections, system, environment } }: Envelope,
): Promise<PolicySet | null> {
  const missing = missingFrom(requires, deps.have);
  if (missing.length > 0) {
    if (bundle.status === "published") await wait(deps, bundle, describeMissing(missing));
    return null;
  }
  const checked = loadFromRaw(sections, system, environment);
  if (checked.ok) return checked.value;
  const problems = checked.problems.slice(0, PROBLEMS_TOLD).map(formatProblem).join("; ");
  await refuse(deps, bundle, `invalid, ${checked.problems.length} problems: ${problems}`);
  return null;
}

async function wait(deps: AdoptDeps, bundle: StoredBundle, reason: string): Promise<void> {
  const { revision, source } = bundle;
  const word = wordOfWaiting({ revision, source, why: reason });
  if (await decide(deps, bundle, "waiting", { reason }, word))
    deps.emit({ event: "policy.waiting", revision, source, reason });
}

async function refuse(deps: AdoptDeps, bundle: StoredBundle, reason: string): Promise<void> {
  const { revision, source } = bundle;
  const word = wordOfRefused({ revision, source, why: reason });
  if (await decide(deps, bundle, "refused", { reason }, word))
    deps.emit({ event: "policy.refused", revision, source, reason });
}

/** False when another has decided. */
async function decide(
  { db, notify }: AdoptDeps,
  { revision, status }: StoredBundle,
  to: BundleStatus,
  why: Parameters<typeof setBundleStatus>[4],
  word: RuntimeWord | null,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    if (word !== null) await notify(tx, word);
    const moved = await setBundleStatus(tx, revision, status, to, why);
    if (!moved && word !== null) throw decidedElsewhere(revision);
    return moved;
  });
}

/** What was begun in the transaction must not stay. */
export function decidedElsewhere(revision: number): Fault {
  return fault.transient(
    "POLICY_DECIDED_ELSEWHERE",
    `another process has decided on policy revision ${revision} at the same moment`,
  );
}

interface Believed {
  readonly bundle: StoredBundle;
  readonly envelope: Envelope;
  readonly set: PolicySet;
}

/** True: on to the trial. What a person has released is not judged again. */
async function passHarm(deps: AdoptDeps, believed: Believed, now: Date): Promise<boolean> {
  const { bundle, envelope, set } = believed;
  if (bundle.status === "canary") return true;
  const before = deps.policyHolder.inForce().set;
  const { previewed } = envelope.bundle;
  const held = await foreseeHarm(deps.db, { before, after: set, previewed }, now);
  if (held.length > 0) {
    await hold(deps, bundle, held);
    return false;
  }
  return decide(deps, bundle, "canary", {}, null);
}

async function hold(deps: AdoptDeps, bundle: StoredBundle, held: readonly Held[]): Promise<void> {
  const { revision, source } = bundle;
  const reason = [...new Set(held.map((one) => one.reason))].join(", ");
  const word = wordOfHeld({ revision, source, why: reason, held });
  const findings = held.map((one) => ({ ...one }));
  if (await decide(deps, bundle, "held", { reason, findings }, word))
    deps.emit({ event: "policy.held", revision, source, reason });
}

/** What went wrong in this process while it alone worked with the candidate. */
async function tryOut(
  deps: AdoptDeps,
  { revision, digest }: StoredBundle,
  candidate: Pick<PolicyInForce, "set" | "sections">,
  signal: AbortSignal,
): Promise<readonly FailedTick[]> {
  const { policyHolder, failedTicks, clock } = deps;
  const { canaryMs } = policyHolder.inForce().set.adoption;
  const count = failedTicks.count();
  deps.emit({ event: "policy.canary", revision, digest });
  await policyHolder.tryOut(candidate, () => clock.sleep(canaryMs, signal));
  return failedTicks.since(count);
}

async function putInForce(deps: AdoptDeps, believed: Believed): Promise<void> {
  const { db, policyHolder, emit, clock } = deps;
  const { revision, digest } = believed.bundle;
  const expected = policyHolder.inForce().revision;
  const inForce = await db.transaction((tx) => adoptBundle(tx, believed, expected));
  // A start with files has put others in force meanwhile: this one is compared with them at the next tick.
  if (inForce === null) return;
  emit({ event: "policy.adopted", revision, digest, in_force: inForce });
  await deps.follow(clock.now());
}

/**
 * The row that is in force and the end of the bundle's way, together.
 * @param expected the row that is in force until then; null: none
 * @returns the new row's revision; null when another row is in force by now
 */
export async function adoptBundle(
  tx: Sql,
  { bundle, envelope, set }: Believed,
  expected: number | null,
): Promise<number | null> {
  const inForce = await addPolicyRevision(
    tx,
    {
      digest: policyDigest(set),
      bundle: set,
      source: bundle.source,
      sections: envelope.bundle.sections,
      commit: bundle.commit,
      bundleRevision: bundle.revision,
    },
    expected,
  );
  if (inForce === null) return null;
  const moved = await setBundleStatus(tx, bundle.revision, "canary", "adopted", { inForce });
  if (!moved) throw decidedElsewhere(bundle.revision);
  return inForce;
}
