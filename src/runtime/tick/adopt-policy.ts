/** The leader looks where bundles are published, and brings the newest on its way. */
import { errorMessage } from "../../base/fault.js";
import type { BundleSource } from "../../review/port.js";
import type { Adopter } from "../adopt.js";
import type { Emit } from "../events.js";
import { type ReceiveDeps, receiveBundle } from "../receive-bundle.js";
import type { Tick } from "../ticker.js";

export interface AdoptPolicyDeps {
  readonly receive: ReceiveDeps;
  readonly adopter: Adopter;
  readonly emit: Emit;
  /** Null: bundles come through the API alone. */
  readonly source: BundleSource | null;
}

export interface AdoptPolicyTick extends Tick {
  /** Whether what lies at the source now is refused. */
  isSourceRefused(): boolean;
}

const EVERY_MS = 2_000;
/** A source that is silent for so long does not answer. */
const FETCH_MAX_MS = 10_000;

export function adoptPolicyTick(deps: AdoptPolicyDeps): AdoptPolicyTick {
  const look = createLook(deps);
  return {
    name: "adopt-policy",
    everyMs: EVERY_MS,
    isSourceRefused: look.isRefused,
    run: async (now, signal) => {
      await look.once(signal);
      await deps.adopter(now, signal);
    },
  };
}

function createLook({ source, receive, emit }: AdoptPolicyDeps) {
  /** Of what was last received, whatever became of it. */
  let known: string | null = null;
  let refused = false;
  let lost = false;
  const once = async (signal: AbortSignal): Promise<void> => {
    if (source === null) return;
    const found = await fetchFrom(source, known, signal).catch((error: unknown) => {
      if (!lost && !signal.aborted) tellLost(source, error, emit);
      lost = true;
    });
    // Undecided bundles go on without it, and so does what is in force.
    if (found === undefined) return;
    if (lost) emit({ event: "policy.source-back", source: source.name });
    lost = false;
    if (found === null) return;
    const { outcome } = await receiveBundle(receive, { ...found, source: source.name });
    refused = outcome === "refused";
    known = found.tag;
  };
  return { once, isRefused: () => refused };
}

function fetchFrom(source: BundleSource, known: string | null, signal: AbortSignal) {
  return source.fetch(known, AbortSignal.any([signal, AbortSignal.timeout(FETCH_MAX_MS)]));
}

function tellLost({ name }: BundleSource, error: unknown, emit: Emit): void {
  emit({ event: "policy.source-lost", source: name, error: errorMessage(error) });
}
