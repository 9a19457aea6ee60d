/** What burns now and what burnt lately (EP-25, EP-26). Read only: an alert is resolved by its samples alone. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { formatValue, unitOf } from "../../alert/alert-message.js";
import { WHOLE } from "../../alert/instance.js";
import { type Muting, mutingOf } from "../../alert/muting.js";
import { firesText } from "../../alert/signal-text.js";
import type { AlertLevel, AlertRule, PolicySet } from "../../policy/policy.js";
import { selectorsOf } from "../../policy/selectors.js";
import {
  type ActiveAlert,
  type AlertEvent,
  listActiveAlerts,
  listAlertHistory,
} from "../../store/alerts.js";
import { activeSilences } from "../../store/silences.js";
import { ActiveAlertsSchema, AlertHistorySchema } from "../alert-schema.js";
import type { WebDeps } from "../deps.js";
import { idOf } from "../explain-document.js";
import { LimitQuerySchema, PAGE_DEFAULT } from "../schema.js";

export function alertRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/alerts/active",
    {
      schema: {
        summary: "Alerts that fire or are about to",
        response: { 200: ActiveAlertsSchema },
      },
    },
    async () => ({ alerts: await readActive(deps) }),
  );

  app.get(
    "/api/alerts/history",
    {
      schema: {
        summary: "Transitions of alerts, newest first",
        querystring: LimitQuerySchema,
        response: { 200: AlertHistorySchema },
      },
    },
    async (request) => {
      const { limit = PAGE_DEFAULT } = request.query as Static<typeof LimitQuerySchema>;
      return { events: (await listAlertHistory(deps.db, limit)).map(toEventDocument) };
    },
  );
}

async function readActive({ db, clock, policy }: WebDeps) {
  const alerts = await listActiveAlerts(db);
  const silences = await activeSilences(db, clock.now());
  const mutedBy = mutingOf({ policy: policy(), silences, firing: alerts });
  return alerts.map((alert) => toAlertDocument(alert, policy(), mutedBy(alert)));
}

/** Names of AM-api-03 beside ours: it is one document for both who read it. */
function toAlertDocument(alert: ActiveAlert, policy: PolicySet, muting: Muting) {
  const { rule: name, instance, labels, phase, severity, value, since } = alert;
  const rule = policy.alerts.find((one) => one.name === name);
  const level = rule && levelOf(rule, alert);
  return {
    id: idOf({ name, levels: rule?.levels ?? [] }, alert.level, instance),
    ...{ rule: name, instance, labels, phase, level: alert.level, severity, value },
    status: statusOf(alert, muting),
    metric: rule ? selectorsOf(rule.signal)[0]!.metric : name,
    threshold: level?.value ?? null,
    message: rule && level ? messageOf(rule, level, alert, policy) : `${name} left the policy.`,
    ...{ occurredAt: since.toISOString(), since: since.toISOString() },
    told_at: alert.toldAt?.toISOString() ?? null,
    ...muting,
  };
}

/** The one that fires; while pending the mildest, which is the first to come. */
function levelOf({ levels }: AlertRule, { level }: ActiveAlert): AlertLevel | undefined {
  return level === null ? levels[0] : levels.find(({ id }) => id === level);
}

function statusOf({ phase }: ActiveAlert, { silencedBy, inhibitedBy }: Muting) {
  if (silencedBy.length > 0) return "silenced";
  return inhibitedBy.length > 0 ? "inhibited" : phase;
}

function messageOf(
  rule: AlertRule,
  level: AlertLevel,
  { instance, value }: ActiveAlert,
  policy: PolicySet,
): string {
  const unit = unitOf({ rule, policy });
  const where = instance === WHOLE ? "" : ` (${instance})`;
  const now = value === null ? "no data" : formatValue(value, unit);
  return `${rule.name}${where}: ${rule.summary} It is at ${now}, and fires ${firesText(level, unit)}.`;
}

function toEventDocument(event: AlertEvent) {
  const { id, rule, instance, transition, level, severity, value } = event;
  return { id, rule, instance, transition, level, severity, value, at: event.at.toISOString() };
}
