/** The receivers' lanes during one tick: tokens are taken here, where notices are made, and the rest is folded. */
import { admit, type LaneState, newLane, weather } from "../../alert/storm.js";
import { MINUTE_MS } from "../../base/duration.js";
import { RECEIVER_DEFAULTS } from "../../policy/defaults.js";
import type { Severity } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import { countFiredSince } from "../../store/notice-samples.js";
import {
  type Lane,
  type LaneNow,
  readLanes,
  type StoredLane,
  saveLanes,
} from "../../store/receiver-lanes.js";
import type { Found } from "./found.js";

export function laneOf(severity: Severity): Lane {
  return severity === "sev1" ? "critical" : "normal";
}

const FIRES: readonly string[] = ["fired", "upgraded"];

export class Lanes {
  readonly #found: Found;
  readonly #lanes: Map<string, StoredLane>;
  readonly #changed = new Set<string>();
  readonly #firedLastMinute: number;

  private constructor(found: Found, lanes: readonly LaneNow[], firedLastMinute: number) {
    this.#found = found;
    this.#firedLastMinute = firedLastMinute;
    this.#lanes = new Map(
      lanes.map(({ spent, ...stored }) => [
        nameOf(stored.receiver, stored.lane),
        { ...stored, state: this.#afterWords(stored, spent) },
      ]),
    );
  }

  /** Before the transitions of this tick are stored: they are counted with those of the minute. */
  static async open(tx: Sql, found: Found, isSpeaking: boolean): Promise<Lanes> {
    const lanes = await readLanes(tx, found.now);
    const isAsked = isSpeaking || lanes.some(isUnsettled);
    const since = new Date(found.now.getTime() - MINUTE_MS);
    const before = isAsked ? await countFiredSince(tx, since) : 0;
    const now = found.transitions.filter(({ kind }) => FIRES.includes(kind)).length;
    return new Lanes(found, lanes, before + now);
  }

  /** Takes a token, unless it is to be folded. */
  admit(receiver: string, lane: Lane, ignoresStorm: boolean): "send" | "digest" {
    const stored = this.#get(receiver, lane);
    const critical = lane === "critical" || ignoresStorm;
    const { lane: state, verdict } = admit(stored.state, { ...this.#weather(receiver), critical });
    this.#set({ ...stored, state });
    return verdict;
  }

  /** Those with a storm or a digest that is not over, as they are after the time that passed. */
  unsettled(): readonly StoredLane[] {
    return [...this.#lanes.values()].filter(isUnsettled).map((stored) => {
      const { lane: state } = weather(stored.state, this.#weather(stored.receiver));
      return this.#set({ ...stored, state });
    });
  }

  get(receiver: string, lane: Lane): StoredLane {
    return this.#get(receiver, lane);
  }

  noteDigest(lane: StoredLane, digestAt: number | null): void {
    this.#set({ ...lane, digestAt });
  }

  async save(tx: Sql): Promise<void> {
    const changed = [...this.#changed].sort().flatMap((name) => this.#lanes.get(name) ?? []);
    await saveLanes(tx, changed);
  }

  /** What the runtime said meanwhile has cost tokens, too. */
  #afterWords({ receiver, state }: StoredLane, spent: number): LaneState {
    if (spent === 0) return state;
    const { lane } = weather(state, this.#weather(receiver));
    return { ...lane, tokens: Math.max(0, lane.tokens - spent) };
  }

  #get(receiver: string, lane: Lane): StoredLane {
    const state = newLane(this.#weather(receiver).perMinuteMax, this.#found.now.getTime());
    return this.#lanes.get(nameOf(receiver, lane)) ?? { receiver, lane, state, digestAt: null };
  }

  #set(stored: StoredLane): StoredLane {
    const name = nameOf(stored.receiver, stored.lane);
    this.#lanes.set(name, stored);
    this.#changed.add(name);
    return stored;
  }

  #weather(receiver: string) {
    const { policy, now } = this.#found;
    const { slack } = RECEIVER_DEFAULTS;
    return {
      perMinuteMax: (policy.routes.receivers[receiver] ?? slack).perMinuteMax,
      firedLastMinute: this.#firedLastMinute,
      stormPerMinute: policy.monitoring.storm.perMinute,
      now: now.getTime(),
    };
  }
}

function isUnsettled({ state, digestAt }: StoredLane): boolean {
  return isStormy(state) || digestAt !== null;
}

export function isStormy({ stormSince }: LaneState): boolean {
  return stormSince !== null;
}

function nameOf(receiver: string, lane: Lane): string {
  return `${receiver}\n${lane}`;
}
