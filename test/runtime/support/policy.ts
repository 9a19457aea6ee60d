/** The small policy of the other tests, with all kinds and with healing that is quick. */
import { PUBLIC_KINDS } from "../../../src/job/kinds.js";
import type { Healing, PolicySet, WorkerKind } from "../../../src/policy/policy.js";
import { makePolicy as makePolicySet, makeWorkerKind } from "../../support/make-policy.js";

/** A worker that cannot beat for so long ends its process, which in most tests is that of the test itself. */
const DEAD_AFTER_MS = 30_000;

export interface PolicyWishes {
  readonly kinds?: readonly (Partial<WorkerKind> & { readonly kind: string })[];
  readonly healing?: Partial<Healing>;
  readonly schedules?: PolicySet["schedules"];
}

export function makePolicy(wishes: PolicyWishes = {}): PolicySet {
  const policy = makePolicySet({ schedules: wishes.schedules ?? [] });
  const kinds = [...PUBLIC_KINDS.map((kind) => ({ kind })), ...(wishes.kinds ?? [])];
  return {
    ...policy,
    workers: Object.fromEntries(kinds.map((wish) => [wish.kind, makeWorkerKind(wish.kind, wish)])),
    healing: {
      ...policy.healing,
      backoff: { baseMs: 10, capMs: 1_000, jitter: 0 },
      workerDeadAfterMs: DEAD_AFTER_MS,
      ...wishes.healing,
    },
  };
}
