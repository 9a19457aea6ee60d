/** How far a runbook is trusted, for whoever looks at its definition: told when the database can tell. */
import { readPublished } from "../main/policy.js";
import { oneLine } from "../message/plain.js";
import type { RegisteredRunbook } from "../runbook/registry.js";
import { type TrustView, viewTrust } from "../store/trust-list.js";
import type { CommandIo } from "./command.js";
import { type Looked, lookQuickly } from "./quick-look.js";
import { describe } from "./trust.js";

/** The definition stands on the screen already. */
const WAIT_MS = 3_000;

export function lookAtTrust(entry: RegisteredRunbook, io: CommandIo): Promise<Looked<TrustView>> {
  return lookQuickly(io, WAIT_MS, async (db) => {
    const { set: policy } = await readPublished(db);
    return viewTrust(db, entry, policy);
  });
}

/** For `--json`: one of the two is null. */
export function lookDocument(looked: Looked<TrustView>) {
  return looked.found
    ? { trust: looked.value, trust_unknown: null }
    : { trust: null, trust_unknown: oneLine(looked.why) };
}

export function describeLook(looked: Looked<TrustView>): string[] {
  if (!looked.found) return [`trust: could not be looked up: ${oneLine(looked.why)}`];
  const [means = "", ...lines] = describe(looked.value);
  return [means.replace(/^[^:]*/, "trust"), ...lines.map((line) => `  ${line}`)];
}
