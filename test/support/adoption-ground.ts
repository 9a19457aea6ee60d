/** A leader that adopts policies, on a database of its own, with time that passes at once and a place of bundles in memory. */
import { type Clock, systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import { publish, readPublished } from "../../src/main/policy.js";
import type { Requires } from "../../src/policy/envelope-types.js";
import { type AdoptDeps, createAdopter } from "../../src/runtime/adopt.js";
import type { RuntimeEvent } from "../../src/runtime/events.js";
import { FailedTicks } from "../../src/runtime/failed-ticks.js";
import { PolicyHolder } from "../../src/runtime/policy-holder.js";
import type { RuntimeWord } from "../../src/runtime/runtime-word.js";
import { policySource } from "../../src/runtime/sample/policy.js";
import { adoptPolicyTick } from "../../src/runtime/tick/adopt-policy.js";
import { createFollow } from "../../src/runtime/tick/follow-policy.js";
import type { Database } from "../../src/store/database.js";
import { loadShipped, shippedSections } from "../fixture/policy/sections.js";
import { makeKey, signBundle, type TestBundle, type TestKey, TestSource } from "./sign-bundle.js";

export const NO_OVERRIDES = {
  overrides: {
    ...{ healingEnabled: null, concurrency: {}, poolSize: null, region: null, exportsBucket: null },
  },
};

export interface Leader {
  readonly holder: PolicyHolder;
  readonly events: RuntimeEvent[];
  readonly words: RuntimeWord[];
  readonly failedTicks: FailedTicks;
  /** Looks at the place once, and decides once. */
  step(): Promise<void>;
  follow(): Promise<void>;
  /** What AR-108 watches. */
  keptOut(): Promise<number>;
}

export interface Ground {
  readonly db: Database;
  readonly key: TestKey;
  readonly source: TestSource;
  /** The shipped policies as they were written, environment `local`: in force at the beginning, from files. */
  readonly sections: JsonObject;
  publish(given: Partial<TestBundle> & { readonly revision: number }): void;
  lead(changes?: Partial<AdoptDeps>): Promise<Leader>;
}

export const HAVE: Requires = { schema: 2, runbooks: {} };
const AT_ONCE: Clock = { now: systemClock.now, sleep: async () => {} };

export async function layGround(db: Database): Promise<Ground> {
  const { set, raw } = loadShipped();
  await publish(db, set, "policies", raw);
  const key = makeKey();
  const source = new TestSource();
  const sections = shippedSections();
  return {
    ...{ db, key, source, sections },
    publish: (given) => source.put(signBundle(key, { sections, ...given })),
    lead: (changes = {}) => lead({ db, key, source }, changes),
  };
}

async function lead(
  { db, key, source }: Pick<Ground, "db" | "key" | "source">,
  changes: Partial<AdoptDeps>,
): Promise<Leader> {
  const events: RuntimeEvent[] = [];
  const words: RuntimeWord[] = [];
  const failedTicks = new FailedTicks();
  const emit = (event: RuntimeEvent) => {
    failedTicks.observe(event);
    events.push(event);
  };
  const notify = async (_: unknown, word: RuntimeWord) => void words.push(word);
  const holder = new PolicyHolder(await readPublished(db), NO_OVERRIDES);
  const load = () => readPublished(db);
  const follow = createFollow({
    db,
    emit,
    policyHolder: holder,
    load,
    holder: "here:1:a",
    role: "all",
  });
  const deps: AdoptDeps = {
    ...{ db, emit, notify, policyHolder: holder, failedTicks, follow },
    ...{ clock: AT_ONCE, have: HAVE, ...changes },
  };
  const keys = [key.publicKey];
  const receive = { db, emit, notify, keys, system: "algobrain", environment: "local" };
  const tick = adoptPolicyTick({ receive, adopter: createAdopter(deps), emit, source });
  const samples = policySource({ sql: db, isSourceRefused: tick.isSourceRefused });
  const now = () => systemClock.now();
  return {
    ...{ holder, events, words, failedTicks },
    step: () => tick.run(now(), new AbortController().signal),
    follow: () => follow(now()),
    keptOut: async () => (await samples.collect(now()))[0]?.value ?? -1,
  };
}
