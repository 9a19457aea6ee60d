/** What fires, as Alertmanager lists it: with its labels, who is told, and what holds it back. */
import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { formatValue, unitOf } from "../../alert/alert-message.js";
import type { Labels } from "../../alert/instance.js";
import { type Muting, mutingOf } from "../../alert/muting.js";
import { receiversOf } from "../../alert/receivers.js";
import { alertLabels } from "../../alert/silence.js";
import { Type } from "../../base/type.js";
import { matchesAll } from "../../policy/matcher.js";
import type { AlertLevel, AlertRule, PolicySet } from "../../policy/policy.js";
import { readPattern } from "../../policy/safe-pattern.js";
import { listFiring, type StoredFiring } from "../../store/alert-facts.js";
import { activeSilences } from "../../store/silences.js";
import { answerAsAlertmanager, readFilter } from "../alertmanager-reply.js";
import { AlertsQuerySchema, GettableAlertSchema } from "../alertmanager-schema.js";
import type { WebDeps } from "../deps.js";
import { HttpProblem } from "../problem.js";

type Query = Static<typeof AlertsQuerySchema>;

export function alertmanagerAlertRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/v2/alerts",
    {
      errorHandler: answerAsAlertmanager(deps.log),
      schema: {
        summary: "Alerts that fire, as Alertmanager lists them",
        querystring: AlertsQuerySchema,
        response: { 200: Type.Array(GettableAlertSchema) },
      },
    },
    async (request) => {
      const query = request.query as Query;
      const isWanted = choiceOf(query);
      const alerts = await readFiring(deps);
      return alerts
        .filter(isWanted)
        .map((alert) => toDocument(alert, deps.policy(), request))
        .sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
    },
  );
}

interface Firing extends StoredFiring {
  readonly of: AlertRule;
  readonly level: AlertLevel;
  /** As matchers see it; without empty ones, as Alertmanager keeps them. */
  readonly labels: Labels;
  readonly receivers: readonly string[];
  readonly muting: Muting;
}

/** Those whose rule and level are still in the policy. */
async function readFiring({ db, clock, policy }: WebDeps): Promise<Firing[]> {
  const { alerts, system, routes } = policy();
  const rows = await listFiring(db, alerts);
  const silences = await activeSilences(db, clock.now());
  const firing = rows.map(({ rule, state }) => ({
    rule,
    labels: state.labels,
    level: state.level,
  }));
  const mutedBy = mutingOf({ policy: policy(), silences, firing });
  return rows.flatMap((row, i): Firing[] => {
    const rule = alerts.find(({ name }) => name === row.rule);
    const level = rule?.levels.find(({ id }) => id === row.state.level);
    if (!rule || !level) return [];
    const labels = withoutEmpty(alertLabels(system, rule, level, row.state.labels));
    const receivers = receiversOf(rule, level, row.state.labels, routes);
    return [{ ...row, of: rule, level, labels, receivers, muting: mutedBy(firing[i]!) }];
  });
}

function withoutEmpty(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ""));
}

/** Throws `invalid-query` for what is no matcher or no pattern. */
function choiceOf(query: Query): (alert: Firing) => boolean {
  const filter = readFilter(query);
  const receiver = query.receiver === undefined ? null : readPattern(query.receiver);
  if (receiver && !receiver.ok)
    throw new HttpProblem("invalid-query", `The pattern for receivers ${receiver.reason}.`);
  return ({ labels, receivers, muting }) => {
    const { silencedBy, inhibitedBy } = muting;
    const isMuted = silencedBy.length + inhibitedBy.length > 0;
    if (query.active === "false" && !isMuted) return false;
    if (query.silenced === "false" && silencedBy.length > 0) return false;
    if (query.inhibited === "false" && inhibitedBy.length > 0) return false;
    if (receiver && !receivers.some((name) => receiver.value.test(name))) return false;
    return matchesAll(filter, labels);
  };
}

/** So many intervals without a judgement, and it is no longer known to fire. */
const KNOWN_FOR_TICKS = 4;

function toDocument(alert: Firing, policy: PolicySet, request: FastifyRequest) {
  const { of, instance, state, judgedAt, level, labels, receivers, muting } = alert;
  const judged = judgedAt ?? new Date(state.tickAt);
  const isMuted = muting.silencedBy.length + muting.inhibitedBy.length > 0;
  return {
    annotations: {
      summary: of.summary,
      ...(state.value === null
        ? {}
        : { value: formatValue(state.value, unitOf({ rule: of, policy })) }),
      ...(level.runbook === null ? {} : { runbook: level.runbook }),
    },
    receivers: receivers.map((name) => ({ name })),
    fingerprint: fingerprintOf(labels),
    startsAt: new Date(state.begun?.at ?? state.since ?? state.tickAt).toISOString(),
    updatedAt: judged.toISOString(),
    endsAt: new Date(judged.getTime() + KNOWN_FOR_TICKS * of.everyMs).toISOString(),
    status: { state: isMuted ? "suppressed" : "active", ...muting },
    labels,
    generatorURL: explainUrl(request, level.id, instance),
  };
}

/** Sixteen hex digits, as Alertmanager's; equal labels have equal ones. */
function fingerprintOf(labels: Labels): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(pairs)).digest("hex").slice(0, 16);
}

function explainUrl({ protocol, host }: FastifyRequest, level: string, instance: string): string {
  return `${protocol}://${host}/api/v1/alerts/${encodeURIComponent(`${level}~${instance}`)}/explain`;
}
