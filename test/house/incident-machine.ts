/** Every move of an incident as the code makes it. */
import type { Database } from "../../src/store/database.js";
import {
  acknowledgeIncident,
  closeIncident,
  readIncident,
  reopenIncident,
} from "../../src/store/incidents.js";
import type { Machine } from "./state-machines.js";

const NOW = new Date("2026-11-22T03:00:00Z");
const act = { by: "house", now: NOW };
const FINDINGS = { symptoms: "s", rootCause: "c", resolution: "r", prevention: "p" };

async function put(db: Database, status: string): Promise<number> {
  const { rows } = await db.query<{ id: number }>(
    `INSERT INTO control.incident (number, title, severity, status, opened_by, opened_at, started_at, respond_by)
     VALUES ('INC-2026-11-22-' || gen_random_uuid(), 'down', 'sev1', $1, 'house', $2, $2, $2) RETURNING id`,
    [status, NOW],
  );
  return rows[0]!.id;
}

async function numberOf(db: Database, id: number): Promise<string> {
  const { rows } = await db.query<{ number: string }>(
    "SELECT number FROM control.incident WHERE id = $1",
    [id],
  );
  return rows[0]!.number;
}

const reopen = (answered: boolean) => async (db: Database, id: number) => {
  const at = answered ? NOW : null;
  await db.query("UPDATE control.incident SET acknowledged_at = $2 WHERE id = $1", [id, at]);
  const number = await numberOf(db, id);
  return db.transaction((tx) => reopenIncident(tx, number, act));
};

export const incident: Machine = {
  table: "control.incident",
  keyColumn: "id",
  put,
  moves: {
    acknowledge: [
      async (db, id) => {
        const number = await numberOf(db, id);
        return db.transaction((tx) => acknowledgeIncident(tx, number, act));
      },
    ],
    close: [
      async (db, id) => {
        const number = await numberOf(db, id);
        const closing = { findings: FINDINGS, resolvedAt: NOW, postMortemDue: null };
        const closed = await db.transaction((tx) => closeIncident(tx, number, closing, act));
        return closed !== null && (await readIncident(db, number)) !== null;
      },
    ],
    reopen: [reopen(false), reopen(true)],
  },
};
