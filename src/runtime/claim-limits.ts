/**
 * What this process may claim under the limits that hold over all processes: it takes room and starts before
 * it claims, keeps them while it needs them, and gives the rest back (X-09, HB-env-10).
 */
import type { HeldJob } from "../job/job.js";
import {
  ALL_PUBLIC,
  type CapacityWish,
  giveCapacity,
  giveRate,
  takeCapacity,
  takeRate,
} from "../store/capacity.js";
import type { Sql } from "../store/database.js";
import type { KindWant } from "./kind-load.js";

export interface ClaimLimitsOptions {
  readonly workerId: string;
  /** HB-env-10; null for no limit, as on the internal lane. */
  readonly globalCap: number | null;
}

export interface Admitted {
  readonly kinds: readonly KindWant[];
  /** Jobs of all these kinds together. */
  readonly max: number;
}

/** Under the limit of all kinds a process keeps this share, so that a job that comes alone is claimed at once. */
const STANDING_SHARE = 0.05;
/** Of a limit in one claim: so one half is claimed while the other is settled, and neither waits for the other. */
const TURN_SHARE = 0.5;
/** Less than this share of what is held is not worth a claim, if what is held is over in a moment: crumbs would stay crumbs. */
const CRUMB_SHARE = 0.25;

interface Scope {
  cap: number;
  held: number;
  granted: number;
}

export class ClaimLimits {
  readonly #options: ClaimLimitsOptions;
  readonly #scopes = new Map<string, Scope>();
  #isShort = false;

  constructor(options: ClaimLimitsOptions) {
    this.#options = options;
  }

  /**
   * The wants as far as the limits allow them now; what is not claimed of it stays ours until `giveBack`. Said at once
   * where nothing is to be asked for: most claims find their room here.
   */
  admit(sql: Sql, wants: readonly KindWant[]): Admitted | Promise<Admitted> {
    const wishes = this.#wishes(wants);
    const asks = wishes.length > 0 || wants.some(({ rateLimit }) => rateLimit !== null);
    return asks ? this.#ask(sql, wants, wishes) : this.#grant(wants);
  }

  async #ask(sql: Sql, wants: readonly KindWant[], wishes: CapacityWish[]): Promise<Admitted> {
    if (wishes.length > 0) {
      const taken = await takeCapacity(sql, this.#options.workerId, wishes);
      for (const [scope, granted] of taken) this.#scope(scope).granted = granted;
    }
    const { kinds, max } = this.#grant(wants);
    const rated: KindWant[] = [];
    for (const want of kinds) {
      const { kind, rateLimit } = want;
      const free = rateLimit ? await takeRate(sql, kind, rateLimit, want.free) : want.free;
      if (free > 0) rated.push({ ...want, free });
    }
    return { kinds: rated, max };
  }

  #grant(wants: readonly KindWant[]): Admitted {
    this.#isShort = false;
    const max = this.#options.globalCap === null ? Number.MAX_SAFE_INTEGER : this.#room(ALL_PUBLIC);
    const kinds = wants.map((want) => ({ ...want, free: this.#roomOf(want, max) }));
    return { kinds: kinds.filter(({ free }) => free > 0), max };
  }

  /** Of one kind, before its rate. */
  #roomOf({ kind, globalMax, free: wanted, quick }: KindWant, max: number): number {
    const room = globalMax === null ? max : Math.min(max, this.#room(kind));
    const free = Math.min(wanted, room);
    if (free < wanted) this.#isShort = true;
    return quick && free < Math.min(wanted, this.#scope(kind).held * CRUMB_SHARE) ? 0 : free;
  }

  /** Counts what was claimed, and gives back starts that nothing was claimed for. */
  async claimed(sql: Sql, { kinds }: Admitted, jobs: readonly HeldJob[]): Promise<void> {
    for (const { kind } of jobs) this.#count(kind, 1);
    for (const { kind, rateLimit, free } of kinds) {
      if (rateLimit === null) continue;
      const unused = free - jobs.filter((job) => job.kind === kind).length;
      if (unused > 0) await giveRate(sql, kind, rateLimit, unused);
    }
  }

  /** One of ours is no longer running in the rows. */
  released(kind: string): void {
    this.#count(kind, -1);
  }

  /** A limit kept us from claiming: each job that ends makes room. */
  isShort(): boolean {
    return this.#isShort;
  }

  /** True while more is ours than we need. */
  hasSlack(): boolean {
    return this.#slack().size > 0;
  }

  /** Keeps what is held, and the standing share. Others may wait for the rest. */
  async giveBack(sql: Sql): Promise<void> {
    const kept = this.#slack();
    if (kept.size === 0) return;
    for (const [name, keeps] of kept) this.#scope(name).granted = keeps;
    await giveCapacity(sql, this.#options.workerId, kept);
  }

  /** Nothing more than what is held is ours: the next claim asks anew. */
  forget(): void {
    for (const scope of this.#scopes.values()) scope.granted = scope.held;
  }

  #slack(): Map<string, number> {
    const kept = new Map<string, number>();
    for (const [name, { cap, held, granted }] of this.#scopes) {
      const standing = name === ALL_PUBLIC ? Math.floor(cap * STANDING_SHARE) : 0;
      const keeps = Math.min(granted, held + standing);
      if (keeps < granted) kept.set(name, keeps);
    }
    return kept;
  }

  #wishes(wants: readonly KindWant[]): CapacityWish[] {
    const wishes: CapacityWish[] = [];
    const { globalCap } = this.#options;
    const total = wants.reduce((sum, { free }) => sum + free, 0);
    if (globalCap !== null) this.#wish(ALL_PUBLIC, globalCap, total, wishes);
    for (const { kind, globalMax, free } of wants) {
      if (globalMax !== null) this.#wish(kind, globalMax, free, wishes);
    }
    return wishes;
  }

  /** Only when it may help: not while all that the limit allows is ours already. */
  #wish(name: string, cap: number, more: number, wishes: CapacityWish[]): void {
    const scope = this.#scope(name);
    scope.cap = cap;
    const wanted = Math.min(cap, scope.held + more);
    if (wanted > scope.granted || scope.granted > Math.max(cap, scope.held)) {
      wishes.push({ scope: name, cap, held: scope.held, wanted: Math.max(wanted, scope.held) });
    }
  }

  #room(name: string): number {
    const { cap, granted, held } = this.#scope(name);
    return Math.min(Math.max(0, granted - held), Math.ceil(cap * TURN_SHARE));
  }

  #count(kind: string, change: number): void {
    if (this.#options.globalCap !== null) this.#scope(ALL_PUBLIC).held += change;
    this.#scope(kind).held += change;
  }

  #scope(name: string): Scope {
    let scope = this.#scopes.get(name);
    if (scope === undefined) {
      scope = { cap: 0, held: 0, granted: 0 };
      this.#scopes.set(name, scope);
    }
    return scope;
  }
}
