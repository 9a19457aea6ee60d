/** The first policy of an empty database, where policies are published as bundles: the newest that lies there. */
import { errorMessage, fault } from "../base/fault.js";
import { formatProblem } from "../base/problem.js";
import { describeMissing, missingFrom } from "../policy/envelope.js";
import type { PublicKey } from "../policy/envelope-types.js";
import { SCHEMA_VERSION } from "../policy/envelope-types.js";
import { loadFromRaw } from "../policy/from-raw.js";
import type { BundleSource } from "../review/port.js";
import { adoptBundle } from "../runtime/adopt.js";
import { receiveBundle } from "../runtime/receive-bundle.js";
import type { Database } from "../store/database.js";
import { readBundle, readStoredEnvelope, setBundleStatus } from "../store/policy-bundles.js";
import { runbookHashes } from "./runbooks.js";

/** Of a policy directory and its environment, until a first policy says it. */
const SYSTEM = "algobrain";
const FETCH_MAX_MS = 10_000;

/**
 * There is nothing to compare it with, so nothing holds it back but its own form.
 * Throws a refused Fault when none can be had, believed or understood.
 */
export async function seedFromBundle(
  db: Database,
  origin: { readonly source: BundleSource | null; readonly keys: readonly PublicKey[] },
  environment: string,
): Promise<void> {
  const { source, keys } = origin;
  if (source === null) throw nothingThere("nowhere");
  const found = await fetchFirst(source);
  const received = await receiveBundle(
    // Nobody can be told yet: the start fails, and says why.
    { db, keys, environment, system: SYSTEM, emit: () => {}, notify: async () => {} },
    { ...found, source: source.name },
  );
  if (received.outcome === "refused") {
    throw fault.refused(
      "POLICY_BUNDLE_REFUSED",
      `the policy at ${source.name} is refused (${received.refusal}): ${received.sentence}`,
      { hint: "publish one that is signed for this environment; nothing was started" },
    );
  }
  await adoptFirst(db, received.revision);
}

async function fetchFirst(source: BundleSource) {
  try {
    const found = await source.fetch(null, AbortSignal.timeout(FETCH_MAX_MS));
    if (found !== null) return found;
  } catch (error) {
    throw fault.transient(
      "POLICY_SOURCE_LOST",
      `no policy is in force here, and ${source.name} does not answer: ${errorMessage(error)}`,
      { cause: error, hint: "a first start needs it once; later ones go on without it" },
    );
  }
  throw nothingThere(source.name);
}

function nothingThere(where: string) {
  return fault.refused("POLICY_SOURCE_EMPTY", `no policy is in force here, and none at ${where}`, {
    hint: "publish one with: algobrain policy publish --to …",
  });
}

async function adoptFirst(db: Database, revision: number): Promise<void> {
  const [bundle, envelope] = [
    await readBundle(db, revision),
    await readStoredEnvelope(db, revision),
  ];
  if (bundle === null || envelope === null) return;
  const { requires, sections, system, environment } = envelope.bundle;
  const have = { schema: SCHEMA_VERSION, runbooks: await runbookHashes() };
  const missing = missingFrom(requires, have);
  // What it says may be beyond this program: then its sections are not looked at.
  if (missing.length > 0) throw unfit(revision, describeMissing(missing));
  const checked = loadFromRaw(sections, system, environment);
  if (!checked.ok) throw unfit(revision, checked.problems.map(formatProblem).join("; "));
  await db.transaction(async (tx) => {
    if (bundle.status === "published") await setBundleStatus(tx, revision, "published", "canary");
    // Null: another start was first, and what it put in force is as good.
    await adoptBundle(tx, { bundle, envelope, set: checked.value }, null);
  });
}

function unfit(revision: number, why: string) {
  return fault.refused("POLICY_BUNDLE_REFUSED", `policy revision ${revision}: ${why}`, {
    hint: "start the version that it was published for, or publish it from this one",
  });
}
