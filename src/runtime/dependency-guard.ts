/**
 * Stands before every call to a system outside: asks gate and breaker first, and learns from how the call went
 * (X-16, AL-heal-01). Who is refused waits and burns no attempt. A page is never silenced: it passes an open breaker
 * every few seconds and a closed gate once a minute (docs/decisions/0014-one-gate-and-one-breaker-a-dependency.md).
 */
import {
  type Admission,
  admit,
  BREAKER_DEFAULTS,
  type Breaker,
  type BreakerRules,
  type BreakerState,
  closeGate,
  type Finding,
  settle,
} from "../base/breaker.js";
import { CallWindow, reasonToOpen } from "../base/call-window.js";
import type { Clock } from "../base/clock.js";
import { MINUTE_MS } from "../base/duration.js";
import { Fault, fault } from "../base/fault.js";
import type { DependencyKind, PolicySet } from "../policy/policy.js";
import type { DependencyBoard } from "./dependency-board.js";

export interface OutsideCall {
  /** `slack`, or a kind and one of many: `webhook/hook`. */
  readonly dependency: DependencyKind | `${DependencyKind}/${string}`;
  /** A page: it may pass where others wait. */
  readonly urgent?: boolean;
  readonly signal: AbortSignal;
}

/** Throws what `work` throws, or a waiting Fault `BREAKER_OPEN` or `DEPENDENCY_GATED` without calling it. */
export type DependencyGuard = <T>(call: OutsideCall, work: () => Promise<T>) => Promise<T>;

export interface DependencyGuardDeps {
  readonly board: DependencyBoard;
  readonly clock: Clock;
  readonly policy: () => PolicySet;
}

/** How often a page passes what holds others back. */
const PAGE_EVERY_MS = { breaker: 5_000, gate: MINUTE_MS } as const;
/** A dependency that wants us to slow down and names no time. */
const GATE_DEFAULT_MS = 30_000;
const MEASURE_EVERY_MS = 5_000;
const CONTESTED_MS = 1_000;

/** What one process remembers of one dependency. */
interface Memory {
  readonly window: CallWindow;
  /** Another state means that somebody, here or elsewhere, has drawn a line under the calls before. */
  state: BreakerState;
  pagedAt: number;
  measuredAt: number;
}

export function createDependencyGuard(deps: DependencyGuardDeps): DependencyGuard {
  const memories = new Map<string, Memory>();
  return async (call, work) => {
    const visit = new Visit(deps, call, memoryOf(memories, call.dependency));
    await visit.enter();
    try {
      const value = await work();
      await visit.leave(null);
      return value;
    } catch (thrown) {
      await visit.leave(thrown);
      throw thrown;
    }
  };
}

function memoryOf(memories: Map<string, Memory>, dependency: string): Memory {
  const never = Number.NEGATIVE_INFINITY;
  const memory: Memory = memories.get(dependency) ?? {
    window: new CallWindow(),
    state: "closed",
    pagedAt: never,
    measuredAt: never,
  };
  memories.set(dependency, memory);
  return memory;
}

/** Missing in a policy that an older version has published. */
function rulesOf(policy: PolicySet, { dependency }: OutsideCall): BreakerRules {
  const [kind] = dependency.split("/") as [DependencyKind];
  return policy.healing.breakers?.[kind] ?? BREAKER_DEFAULTS;
}

/** One call on its way in and out. */
class Visit {
  readonly #deps: DependencyGuardDeps;
  readonly #call: OutsideCall;
  readonly #memory: Memory;
  readonly #rules: BreakerRules;
  #as: Finding["as"] = "call";
  #beganAt = 0;

  constructor(deps: DependencyGuardDeps, call: OutsideCall, memory: Memory) {
    this.#deps = deps;
    this.#call = call;
    this.#memory = memory;
    this.#rules = rulesOf(deps.policy(), call);
  }

  async enter(): Promise<void> {
    const { board, clock } = this.#deps;
    const { dependency, urgent } = this.#call;
    this.#see(await board.read(dependency));
    const admission = await this.#admit();
    const now = clock.now().getTime();
    if (admission.verdict === "refuse") this.#passAsPage(admission, now);
    else if (admission.verdict === "probe") this.#as = "probe";
    if (urgent) this.#memory.pagedAt = now;
    this.#beganAt = now;
  }

  /** By the newest breaker, with a token taken from it where that is needed. */
  async #admit(): Promise<Admission> {
    let admission: Admission = { verdict: "call" };
    const kept = await this.#change((breaker, now) => {
      admission = admit(breaker, this.#rules, now);
      return admission.verdict === "probe" ? admission.next : breaker;
    });
    return tokenOf(admission, kept) ?? { verdict: "refuse", by: "breaker", until: this.#soon() };
  }

  /** Others were faster each time: they find out how it is. */
  #soon(): Date {
    return new Date(this.#deps.clock.now().getTime() + CONTESTED_MS);
  }

  async #change(change: (breaker: Breaker, now: Date) => Breaker): Promise<Breaker> {
    const { board, clock } = this.#deps;
    const { dependency } = this.#call;
    const kept = await board.change(dependency, (breaker) => change(breaker, clock.now()));
    this.#see(kept);
    return kept;
  }

  #see({ state }: Breaker): void {
    if (state !== this.#memory.state) this.#memory.window.clear();
    this.#memory.state = state;
  }

  /** Throws the refusal unless this is a page whose turn has come. */
  #passAsPage({ by, until }: Extract<Admission, { verdict: "refuse" }>, now: number): void {
    const { pagedAt } = this.#memory;
    // The clock was set back since: that must not keep a page waiting for as long.
    const last = pagedAt > now ? Number.NEGATIVE_INFINITY : pagedAt;
    const pageAt = this.#call.urgent ? last + PAGE_EVERY_MS[by] : Number.POSITIVE_INFINITY;
    if (pageAt > now) throw this.#refusal(by, Math.min(until.getTime(), pageAt) - now);
    this.#as = "page";
  }

  #refusal(by: "gate" | "breaker", retryAfterMs: number): Fault {
    const { dependency } = this.#call;
    const options = { retryAfterMs, details: { dependency } };
    if (by === "gate") {
      const message = `${dependency} asked us not to call it for now`;
      return fault.waiting("DEPENDENCY_GATED", message, options);
    }
    return fault.waiting("BREAKER_OPEN", `${dependency} fails: it is left alone for now`, options);
  }

  /** `thrown` is null when the call succeeded. */
  async leave(thrown: unknown): Promise<void> {
    const now = this.#deps.clock.now();
    const durationMs = now.getTime() - this.#beganAt;
    const health = this.#healthOf(thrown, durationMs);
    const { window } = this.#memory;
    if (health !== "unknown") window.add({ at: now, well: !isIll(thrown), durationMs });
    // Only a call that went ill is a reason to look for more of them.
    const trip =
      health === "ill" ? reasonToOpen(window.stats(this.#rules, now), this.#rules) : null;
    const finding = { health, as: this.#as };
    await this.#change((breaker) =>
      this.#withGate(settle(breaker, finding, trip, this.#rules, now), thrown, now),
    );
    await this.#measure(now);
  }

  /** A probe that is answered too slowly has found nothing well. */
  #healthOf(thrown: unknown, durationMs: number): Finding["health"] {
    if (thrown !== null && saysNothing(thrown, this.#call.signal)) return "unknown";
    return isIll(thrown) || durationMs > this.#rules.p95MaxMs ? "ill" : "well";
  }

  #withGate(breaker: Breaker, thrown: unknown, now: Date): Breaker {
    if (!(thrown instanceof Fault) || !thrown.asksAll) return breaker;
    const until = new Date(now.getTime() + (thrown.retryAfterMs ?? GATE_DEFAULT_MS));
    return closeGate(breaker, until, this.#rules, now);
  }

  async #measure(now: Date): Promise<void> {
    const memory = this.#memory;
    if (now.getTime() - memory.measuredAt < MEASURE_EVERY_MS) return;
    memory.measuredAt = now.getTime();
    await this.#deps.board.measure(this.#call.dependency, memory.window.stats(this.#rules, now));
  }
}

/** Null for a probe whose token somebody else has. */
function tokenOf(admission: Admission, kept: Breaker): Admission | null {
  return admission.verdict === "probe" && admission.next !== kept ? null : admission;
}

/** No answer, or an answer that it cannot do its work; a refusal of what we asked is an answer. */
function isIll(thrown: unknown): boolean {
  return thrown instanceof Fault && thrown.kind === "transient";
}

/** Our own stop, our own mistake, or a wish to slow down, which is the gate's matter. */
function saysNothing(thrown: unknown, signal: AbortSignal): boolean {
  if (!(thrown instanceof Fault) || signal.aborted) return true;
  return thrown.asksAll && thrown.kind === "waiting";
}
