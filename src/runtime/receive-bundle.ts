/** A bundle that somebody published: believed and stored, or refused and told once. It is not in force by that. */

import { type Refused, verifyEnvelope } from "../policy/envelope.js";
import type { PublicKey, Refusal } from "../policy/envelope-types.js";
import type { Database, Sql } from "../store/database.js";
import { insertBundle, readNewestBundle } from "../store/policy-bundles.js";
import { recordRefusal } from "../store/policy-state.js";
import type { Emit, RuntimeEvent } from "./events.js";
import { wordOfRefused } from "./policy-word.js";
import type { RuntimeNotify } from "./runtime-word.js";

export interface ReceiveDeps {
  readonly db: Database;
  readonly emit: Emit;
  readonly notify: RuntimeNotify;
  /** Whose signature is believed. */
  readonly keys: readonly PublicKey[];
  readonly system: string;
  readonly environment: string;
}

export interface FoundBundle {
  readonly text: string;
  /** A folder, `s3://bucket/key`, `api`. */
  readonly source: string;
  /** Of this text at its source: the same is told once. */
  readonly tag: string;
  /** Who handed it in; absent: it was found. */
  readonly by?: string | undefined;
}

export type Received =
  | { readonly outcome: "stored" | "known"; readonly revision: number }
  | { readonly outcome: "refused"; readonly refusal: Refusal; readonly sentence: string };

/** One transaction: what is stored or refused stands in the audit, and people are told, or none of it happened. */
export async function receiveBundle(deps: ReceiveDeps, found: FoundBundle): Promise<Received> {
  const { event, ...received } = await deps.db.transaction((tx) => receive(tx, deps, found));
  if (event !== null) deps.emit(event);
  return received;
}

type Receipt = Received & { readonly event: RuntimeEvent | null };

async function receive(tx: Sql, deps: ReceiveDeps, found: FoundBundle): Promise<Receipt> {
  const { source, by } = found;
  const newest = await readNewestBundle(tx);
  const verdict = verifyEnvelope(found.text, {
    ...deps,
    newestRevision: newest?.revision ?? 0,
    newestDigest: newest?.digest ?? null,
  });
  if (!verdict.ok) return refuse(tx, deps, verdict, found);
  const { envelope } = verdict;
  const { revision, digest } = envelope;
  const outcome = await insertBundle(tx, { envelope, source, by });
  if (outcome === "known") return { outcome, revision, event: null };
  if (outcome === "stored")
    return { outcome, revision, event: { event: "policy.published", revision, digest, source } };
  // Another one of this number was stored between our two looks.
  const sentence = `revision ${revision} is not newer than the newest: publish it anew`;
  const late: Refused = { ok: false, refusal: "revision-not-newer", sentence, revision, digest };
  return refuse(tx, deps, late, found);
}

async function refuse(
  tx: Sql,
  deps: ReceiveDeps,
  { refusal, sentence, revision, digest }: Refused,
  { source, tag, by }: FoundBundle,
): Promise<Receipt> {
  const told = { source, tag, refusal, sentence, revision, digest, by };
  if (!(await recordRefusal(tx, told)))
    return { outcome: "refused", refusal, sentence, event: null };
  // Whoever handed it in has the answer; of what was found at the source nobody else would hear.
  const why = `${refusal}: ${sentence}`;
  if (by === undefined) await deps.notify(tx, wordOfRefused({ revision, source, why }));
  const event = { event: "policy.refused", revision, source, reason: refusal } as const;
  return { outcome: "refused", refusal, sentence, event };
}
