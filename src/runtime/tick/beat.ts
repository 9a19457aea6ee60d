/** The orchestrator's heartbeat: the last step of a cycle in which all before it succeeded. */
import type { MetricsSink } from "../../alert/port.js";
import type { Database } from "../../store/database.js";
import { HEARTBEAT_METRIC } from "../../store/runtime-samples.js";
import { insertSamples } from "../../store/samples.js";
import { noteSign, noteSignAlone } from "../../store/signs-of-life.js";
import type { CycleStep } from "../orchestrator.js";

/** On the grid of the other samples: so its time costs a chunk nothing. */
const SAMPLE_EVERY_MS = 15_000;
/** The watchdogs take 60 s for silence; nobody looks closer than this. */
const SIGN_EVERY_MS = 5_000;
/** Of its rounds. */
const SOURCE = "beat";

/**
 * A cycle in 5 s writes the sign that the watchdogs look at; one in 15 s also a sample, for rules and dashboards. The
 * sample stands at the start of its 15 s and holds the time of the beat itself, in epoch seconds.
 */
export function beatStep(db: Database, sink: MetricsSink | null = null): CycleStep {
  let sampledAt = Number.NEGATIVE_INFINITY;
  let signedMs = Number.NEGATIVE_INFINITY;
  return {
    name: "beat",
    run: async (now) => {
      const slot = now.getTime() - (now.getTime() % SAMPLE_EVERY_MS);
      if (slot !== sampledAt) {
        const value = now.getTime() / 1_000;
        const sample = { metric: HEARTBEAT_METRIC, labels: {}, at: new Date(slot), value };
        await insertSamples(db, [sample], SOURCE);
        await noteSign(db, "heartbeat", now);
        [sampledAt, signedMs] = [slot, now.getTime()];
      } else if (Math.abs(now.getTime() - signedMs) >= SIGN_EVERY_MS) {
        await noteSignAlone(db, "heartbeat", now);
        signedMs = now.getTime();
      }
      sink?.heartbeat(true);
    },
  };
}
