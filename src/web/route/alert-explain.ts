/** Why an alert was told or not: what was measured, its clocks, who was told what and why, silences, storms. */
import type { FastifyInstance } from "fastify";
import { unitOf } from "../../alert/alert-message.js";
import { type Board, boardOf } from "../../alert/board.js";
import { type CompiledRule, compileRule } from "../../alert/compile.js";
import { type ExplainInput, explain } from "../../alert/explain.js";
import type { Labels } from "../../alert/instance.js";
import { mutingOf } from "../../alert/muting.js";
import { sampleFacts } from "../../alert/sample-facts.js";
import { type Reading, readValues } from "../../alert/signal.js";
import { noDataText, signalText } from "../../alert/signal-text.js";
import type { InstanceState, RuleState } from "../../alert/state.js";
import {
  listFiring,
  readLanes,
  readRuleGroups,
  readRuleState,
  readTransitions,
} from "../../store/alert-facts.js";
import type { Sql } from "../../store/database.js";
import { loadBoard } from "../../store/sample-history.js";
import { readLatest } from "../../store/samples.js";
import { activeSilences } from "../../store/silences.js";
import { type AlertId, noSuchInstance, readAlertId } from "../alert-id.js";
import { ExplanationsSchema } from "../alert-schema.js";
import type { WebDeps } from "../deps.js";
import { toExplainDocument } from "../explain-document.js";

/** More would be read by nobody, and each asks the database once. */
const EXPLAINED_MAX = 20;
const TRANSITIONS_MAX = 20;

export function alertExplainRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/v1/alerts/:id/explain",
    {
      schema: {
        summary: "What was measured, since when, and why it was told or not",
        response: { 200: ExplanationsSchema },
      },
    },
    async (request) => {
      const { id } = request.params as { id: string };
      return explainAll(deps, readAlertId(id, deps.policy().alerts));
    },
  );
}

async function explainAll(deps: WebDeps, asked: AlertId) {
  const { db } = deps;
  const { rule } = asked;
  const now = deps.clock.now();
  const compiled = compileRule(rule, deps.policy().metrics);
  const { state, judgedAt } = await readRuleState(db, rule);
  const at = judgedAt ?? new Date(Math.floor(now.getTime() / rule.everyMs) * rule.everyMs);
  const board = await readBoard(db, compiled, at);
  const known = knownInstances(state, readValues(compiled, board, at.getTime()));
  const wanted = known.filter(({ instance }) => [null, instance].includes(asked.instance));
  if (wanted.length === 0 && asked.instance !== null) throw noSuchInstance(asked, namesOf(known));
  const ground = { ...(await readGround(deps, compiled, now)), at };
  const alerts = [];
  for (const one of wanted.slice(0, EXPLAINED_MAX))
    alerts.push(await explainOne(db, ground, one, sampleFacts(compiled, board, one.instance, +at)));
  return {
    ...{ rule: rule.name, summary: rule.summary, every_ms: rule.everyMs },
    ...{ measures: signalText(rule.signal), no_data: noDataText(rule) },
    judged_at: judgedAt?.toISOString() ?? null,
    ...{ instances: known.length, alerts },
  };
}

/** What the tick saw: as the evaluator reads it. */
async function readBoard(sql: Sql, { metrics, spanMs }: CompiledRule, at: Date): Promise<Board> {
  if (spanMs === null) return boardOf(await readLatest(sql, metrics, at));
  return loadBoard(sql, { metrics, from: new Date(at.getTime() - spanMs), to: at });
}

interface Instance {
  readonly instance: string;
  readonly labels: Labels;
  readonly state: InstanceState | null;
  readonly value: number | null;
}

/** Those that are remembered, and those that have samples: first what fires, then what waits. */
function knownInstances(state: RuleState, readings: readonly Reading[]): Instance[] {
  const values = new Map(readings.map(({ instance, value }) => [instance, value]));
  const remembered = Object.entries(state).map(([instance, one]): Instance => {
    return { instance, labels: one.labels, state: one, value: values.get(instance) ?? null };
  });
  const unknown = readings
    .filter(({ instance }) => state[instance] === undefined)
    .map((reading): Instance => ({ ...reading, state: null }));
  return [...remembered, ...unknown].sort((a, b) => urgencyOf(b) - urgencyOf(a));
}

function urgencyOf({ state }: Instance): number {
  if (!state) return 0;
  return state.level !== null ? 3 : Object.keys(state.levels).length > 0 ? 2 : 1;
}

function namesOf(known: readonly Instance[]): string[] {
  return known.map(({ instance }) => instance);
}

type Ground = Omit<ExplainInput, "series" | "muting" | keyof Instance> & {
  readonly mutedBy: ReturnType<typeof mutingOf>;
};

/** What all alerts of the rule have in common. */
async function readGround(
  { db, policy }: WebDeps,
  { rule }: CompiledRule,
  now: Date,
): Promise<Omit<Ground, "at">> {
  const current = policy();
  const { receivers } = current.routes;
  const silences = await activeSilences(db, now);
  // Only of a rule that others inhibit: a storm has thousands.
  const others = rule.inhibitedBy.length > 0 ? await listFiring(db, current.alerts) : [];
  const firing = others.map((one) => {
    return { rule: one.rule, labels: one.state.labels, level: one.state.level };
  });
  return {
    ...{ rule, now, silences, receivers, unit: unitOf({ rule, policy: current }) },
    groups: await readRuleGroups(db, rule.name),
    lanes: await readLanes(db, Object.keys(receivers)),
    mutedBy: mutingOf({ policy: current, silences, firing }),
  };
}

async function explainOne(
  sql: Sql,
  { mutedBy, ...ground }: Ground,
  one: Instance,
  series: ExplainInput["series"],
) {
  const { name } = ground.rule;
  const muting = mutedBy({ rule: name, labels: one.labels, level: one.state?.level ?? null });
  const input: ExplainInput = { ...ground, ...one, series, muting };
  const alert = { rule: name, instance: one.instance };
  const transitions = await readTransitions(sql, alert, TRANSITIONS_MAX);
  return toExplainDocument(input, explain(input), transitions);
}
