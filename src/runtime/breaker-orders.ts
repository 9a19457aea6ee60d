/** What a person may order of a breaker: close it again, or, in development, force it open (AL-api-05, AL-api-06). */
import { type Breaker, CLOSED, open } from "../base/breaker.js";
import type { Clock } from "../base/clock.js";
import { fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import { appendAudit } from "../store/audit.js";
import type { Database } from "../store/database.js";
import { type Dependency, listDependencies, saveBreaker } from "../store/dependencies.js";
import { eventsOfChange, wordOfChange } from "./breaker-word.js";
import type { Emit } from "./events.js";
import type { RuntimeNotify } from "./runtime-word.js";

export interface BreakerOrdersDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly notify: RuntimeNotify;
}

export interface ResetRequest {
  /** Null: every one that is not closed. */
  readonly dependency: string | null;
  /** Who is sure that it is well: `api:ada`. */
  readonly by: string;
  readonly reason: string;
  /** Opens the gate too, though the dependency asked us to wait. */
  readonly gate: boolean;
}

export interface ForceRequest {
  readonly dependency: string;
  readonly by: string;
  readonly durationMs: number;
}

/** As often as the runtime may be faster. */
const TRIES_MAX = 5;

/** Names of those that changed, which every process knows within a second. Null: nobody has called that dependency yet. */
export async function resetBreakers(
  deps: BreakerOrdersDeps,
  { dependency, by, reason, gate }: ResetRequest,
): Promise<string[] | null> {
  const rows = await listDependencies(deps.db);
  const meant = rows.filter(({ name }) => dependency === null || name === dependency);
  if (meant.length === 0 && dependency !== null) return null;
  const changed: string[] = [];
  for (const { name } of meant) {
    const order = { name, by, action: "breaker.reset", details: { reason, gate } };
    if (await carryOut(deps, order, (breaker) => reset(breaker, gate))) changed.push(name);
  }
  return changed;
}

function reset(breaker: Breaker, gate: boolean): Breaker {
  const isGated = gate && breaker.gateUntil !== null;
  if (breaker.state === "closed" && !isGated) return breaker;
  return { ...CLOSED, gateUntil: gate ? null : breaker.gateUntil };
}

/** Until then no call but a page reaches it; then probes decide as always. */
export async function forceBreakerOpen(
  deps: BreakerOrdersDeps,
  { dependency, by, durationMs }: ForceRequest,
): Promise<void> {
  const order = {
    ...{ name: dependency, by, action: "breaker.forced-open" },
    details: { duration_ms: durationMs },
  };
  await carryOut(deps, order, (breaker) =>
    open(breaker, `forced open by ${by}`, durationMs, deps.clock.now()),
  );
}

interface Order {
  readonly name: string;
  readonly by: string;
  readonly action: string;
  readonly details: JsonObject;
}

/** False when there was nothing to change. Throws a transient Fault when the runtime was faster every time. */
async function carryOut(
  deps: BreakerOrdersDeps,
  order: Order,
  change: (breaker: Breaker) => Breaker,
): Promise<boolean> {
  const { name } = order;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const row = (await listDependencies(deps.db)).find((one) => one.name === name);
    const before = row?.breaker ?? CLOSED;
    const after = change(before);
    if (after === before) return false;
    if (!(await save(deps, order, row, after))) continue;
    for (const event of eventsOfChange(name, before, after)) deps.emit(event);
    return true;
  }
  throw fault.transient("BREAKER_CONTESTED", `the breaker of ${name} changes all the time`);
}

/** Row, word and audit together; false when somebody else was faster. */
async function save(
  { db, clock, notify }: BreakerOrdersDeps,
  { name, by, action, details }: Order,
  row: Dependency | undefined,
  after: Breaker,
): Promise<boolean> {
  const before = row?.breaker ?? CLOSED;
  const word = wordOfChange(name, before, after);
  return db.transaction(async (tx) => {
    const change = { name, version: row?.version ?? 0, breaker: after, by, at: clock.now() };
    if ((await saveBreaker(tx, change)) === null) return false;
    if (word) await notify(tx, word);
    const was = { state: before.state, why: before.reason, gate_until: isoOf(before.gateUntil) };
    await appendAudit(tx, {
      ...{ actor: by, action, target: `dependency:${name}` },
      details: { ...details, was },
    });
    return true;
  });
}

function isoOf(date: Date | null): string | null {
  return date?.toISOString() ?? null;
}
