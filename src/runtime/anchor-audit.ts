/**
 * The head of the audit chain, put where whoever owns the database cannot reach it: from then on a chain that
 * is rewritten or cut before that entry contradicts it, also when all its hashes fit. The name of an anchor says
 * everything, so that looking at all of them is one listing.
 */
import type { Clock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import type { AnchorPlace } from "../runbook/port.js";
import {
  type Anchor,
  type Contradiction,
  findContradiction,
  readNewestAnchor,
  recordAnchor,
} from "../store/anchors.js";
import { readAuditHead, verifyAudit } from "../store/audit.js";
import type { Sql } from "../store/database.js";

export interface AnchorDeps {
  readonly db: Sql;
  readonly clock: Clock;
  readonly place: AnchorPlace;
  /** Of the policy: for whoever finds the anchor and wonders. */
  readonly system: string;
}

export type Anchored =
  | { readonly outcome: "stored"; readonly seq: number; readonly name: string }
  /** No entry since the last one, or none at all. */
  | { readonly outcome: "nothing-new"; readonly seq: number };

/** A million entries an hour for a hundred years still sort by name. */
const SEQ_DIGITS = 13;
const NAME = /^(\d{13})-(\d{13})-([0-9a-f]{64})\.json$/;

/** Throws a critical Fault `AUDIT_CHAIN_BROKEN` when the stretch since the last anchor, or an anchor, does not fit. */
export async function anchorAudit(deps: AnchorDeps, signal: AbortSignal): Promise<Anchored> {
  const { db, place, clock, system } = deps;
  const last = await readNewestAnchor(db);
  const head = await readAuditHead(db);
  if (head.seq === 0 || (last?.seq === head.seq && last.hash.equals(head.hash)))
    return { outcome: "nothing-new", seq: head.seq };
  // What was anchored wrongly could never be taken back.
  await requireWhole(deps, last, signal);
  const at = clock.now();
  const name = nameOf({ ...head, at });
  const facts = { seq: head.seq, hash: head.hash.toString("hex"), at: at.toISOString(), system };
  await place.put(name, `${JSON.stringify(facts)}\n`, signal);
  await recordAnchor(db, { ...head, place: place.place, reference: name });
  return { outcome: "stored", seq: head.seq, name };
}

async function requireWhole(
  { db, place }: AnchorDeps,
  last: Parameters<typeof verifyAudit>[1],
  signal: AbortSignal,
): Promise<void> {
  const contradiction = await findContradiction(db, await listAnchors(place, signal));
  if (contradiction !== null) throw broken(describeContradiction(contradiction), place);
  const verdict = await verifyAudit(db, last);
  if (!verdict.ok) throw broken(`the chain is broken at entry ${verdict.brokenAt}`, place);
}

function broken(what: string, { place }: AnchorPlace) {
  return fault.critical("AUDIT_CHAIN_BROKEN", `the audit log was changed: ${what}`, {
    hint: `see: algobrain audit verify. If this database was made anew on purpose, move its anchors away from ${place}`,
  });
}

/** Oldest first; names that no anchor has are passed over. */
export async function listAnchors(place: AnchorPlace, signal: AbortSignal): Promise<Anchor[]> {
  const names = await place.list(signal);
  return names.flatMap((name) => parseName(name) ?? []).sort((a, b) => a.seq - b.seq);
}

/** One clause for people. */
export function describeContradiction({ anchor, kind }: Contradiction): string {
  const when = anchor.at.toISOString();
  return kind === "rewritten"
    ? `it was rewritten before or at entry ${anchor.seq}, which was anchored on ${when}`
    : `entry ${anchor.seq}, which was anchored on ${when}, is not there any more`;
}

function nameOf({ seq, at, hash }: Anchor): string {
  return `${String(seq).padStart(SEQ_DIGITS, "0")}-${at.getTime()}-${hash.toString("hex")}.json`;
}

function parseName(name: string): Anchor | null {
  const [, seq, ms, hash] = NAME.exec(name) ?? [];
  if (seq === undefined || ms === undefined || hash === undefined) return null;
  return { seq: Number(seq), at: new Date(Number(ms)), hash: Buffer.from(hash, "hex") };
}
