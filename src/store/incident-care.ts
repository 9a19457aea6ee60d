/** Incidents as runbooks see and change them, in the actor's name (RB-95, RB-96). */
import { type Incident, postMortemDue } from "../alert/incident.js";
import { incidentLog } from "../alert/post-mortem.js";
import { fault } from "../base/fault.js";
import type { PolicySet } from "../policy/policy.js";
import type { IncidentReader, IncidentView, IncidentWriter } from "../runbook/incident-port.js";
import type { Database, Sql } from "./database.js";
import {
  closeIncident,
  listIncidents,
  openIncident,
  readIncident,
  reopenIncident,
} from "./incidents.js";

export interface IncidentWays {
  incidentRules(): Pick<PolicySet, "routes" | "monitoring">;
  now(): Date;
  /** Writes the log where people keep such files; answers with its place. The same number again replaces. */
  keepIncidentLog(number: string, text: string): Promise<string>;
}

const OPEN_MAX = 50;

export function createIncidentReader(sql: Sql): IncidentReader {
  return {
    incident: async (number) => {
      const found = await readIncident(sql, number);
      return found && viewOf(found);
    },
    openIncidents: async () => {
      const filter = { statuses: ["open", "acknowledged"] as const, limit: OPEN_MAX };
      return (await listIncidents(sql, filter)).map(viewOf);
    },
  };
}

function viewOf(incident: Incident): IncidentView {
  const { number, title, severity, status, openedBy, startedAt, respondBy } = incident;
  const { resolvedAt, postMortemDue: reviewBy } = incident;
  return { number, title, severity, status, openedBy, startedAt, respondBy, resolvedAt, reviewBy };
}

/** @param by in whose name: the actor of the run */
export function createIncidentWriter(db: Database, by: string, ways: IncidentWays): IncidentWriter {
  const act = () => ({ by, now: ways.now() });
  return {
    openIncident: ({ key, title, severity, startedAt }) =>
      db.transaction(async (tx) => {
        const wish = { title, severity, startedAt, causeKey: key, ...act() };
        return (await openIncident(tx, wish, ways.incidentRules())).number;
      }),
    closeIncident: ({ number, findings, resolvedAt }) =>
      db.transaction(async (tx) => {
        const { severity } = await known(tx, number);
        const { now } = act();
        const due = postMortemDue(severity, now, ways.incidentRules().monitoring.incidents);
        const closing = { findings, resolvedAt, postMortemDue: due };
        if ((await closeIncident(tx, number, closing, act())) !== null) return;
        throw fault.refused("INCIDENT_CLOSED", `${number} is closed already`);
      }),
    reopenIncident: ({ number }) => db.transaction((tx) => reopenIncident(tx, number, act())),
    keepIncidentLog: async ({ number }) =>
      ways.keepIncidentLog(number, incidentLog(await known(db, number))),
  };
}

async function known(sql: Sql, number: string): Promise<Incident> {
  const found = await readIncident(sql, number);
  if (found) return found;
  throw fault.refused("INCIDENT_UNKNOWN", `there is no incident "${number}"`);
}
