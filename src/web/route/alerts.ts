/** What burns now and what burnt lately (EP-25, EP-26). Read only: an alert is resolved by its samples alone. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import {
  type ActiveAlert,
  type AlertEvent,
  listActiveAlerts,
  listAlertHistory,
} from "../../store/alerts.js";
import type { WebDeps } from "../deps.js";
import {
  ActiveAlertsSchema,
  AlertHistorySchema,
  LimitQuerySchema,
  PAGE_DEFAULT,
} from "../schema.js";

export function alertRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/alerts/active",
    {
      schema: {
        summary: "Alerts that fire or are about to",
        response: { 200: ActiveAlertsSchema },
      },
    },
    async () => ({ alerts: (await listActiveAlerts(deps.db)).map(toAlertDocument) }),
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

function toAlertDocument(alert: ActiveAlert) {
  return {
    rule: alert.rule,
    instance: alert.instance,
    labels: alert.labels,
    phase: alert.phase,
    level: alert.level,
    severity: alert.severity,
    value: alert.value,
    since: alert.since.toISOString(),
    told_at: alert.toldAt?.toISOString() ?? null,
  };
}

function toEventDocument(event: AlertEvent) {
  const { id, rule, instance, transition, level, severity, value } = event;
  return { id, rule, instance, transition, level, severity, value, at: event.at.toISOString() };
}
