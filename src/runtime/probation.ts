/**
 * For some minutes after a bundle was adopted the leader watches what it does. When work stops or pages storm, the
 * last good policy is put in force again. What a person foresaw and released is not taken back.
 */

import { MINUTE_MS } from "../base/duration.js";
import { isJsonObject } from "../base/json.js";
import type { HoldReason } from "../policy/harm/held.js";
import { completeSet } from "../policy/older.js";
import type { PolicySet } from "../policy/policy.js";
import type { Database } from "../store/database.js";
import {
  addPolicyRevision,
  type PolicyRevision,
  readLastGoodPolicy,
  readPolicyDigest,
  readPolicyRevision,
} from "../store/policies.js";
import { readBundle, type StoredBundle, setBundleStatus } from "../store/policy-bundles.js";
import { type ProbationFacts, readProbationFacts } from "../store/probation-facts.js";
import { decidedElsewhere } from "./adopt.js";
import type { Emit } from "./events.js";
import { wordOfRolledBack } from "./policy-word.js";
import type { RuntimeNotify } from "./runtime-word.js";
import type { Tick } from "./ticker.js";

export interface ProbationDeps {
  readonly db: Database;
  readonly emit: Emit;
  readonly notify: RuntimeNotify;
  /** Works from then on with what is in force. */
  readonly followPolicy: (now: Date) => Promise<void>;
}

const EVERY_MS = 5_000;
/** Whoever has not claimed for so long while jobs are due does not claim. */
const IDLE_MAX_MS = MINUTE_MS;
/** A storm that was there before is not the policy's. */
const STORM_FACTOR = 2;

export function probationTick(deps: ProbationDeps): Tick {
  /** The revision whose trial is over: whole policies are not read again for it, it never has another. */
  let over: number | null = null;
  return {
    name: "watch-adoption",
    everyMs: EVERY_MS,
    run: async (now) => {
      const newest = await readPolicyDigest(deps.db);
      if (newest === null || newest.revision === over) return;
      const trial = await readTrial(deps.db, newest.revision, now);
      if (trial === null) over = newest.revision;
      else await watch(deps, trial, now);
    },
  };
}

async function watch(deps: ProbationDeps, trial: Trial, now: Date): Promise<void> {
  const { current, good, bundle } = trial;
  const limits = asSet(good).adoption;
  const facts = await readProbationFacts(deps.db, {
    since: current.createdAt,
    windowMs: limits.probationMs,
    pagers: pagersOf(asSet(current)),
  });
  const ageMs = now.getTime() - current.createdAt.getTime();
  const why = judgeProbation(facts, {
    ageMs,
    stormPages: limits.stormPages,
    foreseen: foreseenOf(bundle),
  });
  if (why !== null) await rollBack(deps, trial, why, now);
}

interface Trial {
  readonly current: PolicyRevision;
  readonly good: PolicyRevision;
  readonly bundle: StoredBundle;
}

/** Null: nothing was adopted of late, or there is no way back. The time is that of the policy before it. */
async function readTrial(db: Database, revision: number, now: Date): Promise<Trial | null> {
  const current = await readPolicyRevision(db, revision);
  if (current === null || current.bundleRevision === null || current.rolledBackFrom !== null)
    return null;
  const good = await readLastGoodPolicy(db, current.revision);
  if (good === null) return null;
  const { probationMs } = asSet(good).adoption;
  if (now.getTime() - current.createdAt.getTime() > probationMs) return null;
  const bundle = await readBundle(db, current.bundleRevision);
  return bundle?.status === "adopted" ? { current, good, bundle } : null;
}

function asSet({ bundle }: PolicyRevision): PolicySet {
  return completeSet(bundle as unknown as PolicySet);
}

function pagersOf({ routes }: PolicySet): string[] {
  return Object.values(routes.receivers).flatMap(({ name, kind }) =>
    kind === "pagerduty" ? [name] : [],
  );
}

/** Reasons for which it was held until a person released it. */
function foreseenOf({ findings, releasedBy }: StoredBundle): string[] {
  if (releasedBy === null || !Array.isArray(findings)) return [];
  return findings.flatMap((one) =>
    isJsonObject(one) && typeof one.reason === "string" ? [one.reason] : [],
  );
}

/** Why it must go; null: all is well so far. */
export function judgeProbation(
  facts: ProbationFacts,
  trial: {
    readonly ageMs: number;
    readonly stormPages: number;
    readonly foreseen: readonly string[];
  },
): string | null {
  const isForeseen = (reason: HoldReason) => trial.foreseen.includes(reason);
  const stopped = facts.waits && facts.worked && !facts.works && trial.ageMs >= IDLE_MAX_MS;
  if (stopped && !isForeseen("work-stops"))
    return "no job was started since it came into force, while jobs are due and were worked on before";
  const storms = facts.pages > trial.stormPages && facts.pages > STORM_FACTOR * facts.pagesBefore;
  if (storms && !isForeseen("pages-newly"))
    return `${facts.pages} pages since it came into force, ${facts.pagesBefore} in the same time before (at most ${trial.stormPages})`;
  return null;
}

async function rollBack(
  deps: ProbationDeps,
  { current, good, bundle }: Trial,
  why: string,
  now: Date,
): Promise<void> {
  const { revision, source } = bundle;
  const done = await deps.db.transaction(async (tx) => {
    const back = { ...good, rolledBackFrom: current.revision };
    // Null: another policy came into force between the look and now.
    if ((await addPolicyRevision(tx, back, current.revision)) === null) return false;
    await deps.notify(tx, wordOfRolledBack({ revision, source, why }));
    const moved = await setBundleStatus(tx, revision, "adopted", "rolled-back", { reason: why });
    if (!moved) throw decidedElsewhere(revision);
    return true;
  });
  if (!done) return;
  deps.emit({ event: "policy.rolled-back", revision, source, reason: why });
  await deps.followPolicy(now);
}
