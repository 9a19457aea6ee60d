/** A made-up account in which the orchestrator beats, also for the clock of a rehearsal, which runs faster than time. */
import { systemClock } from "../../src/base/clock.js";
import { type AwsWorld, makeAwsWorld } from "./aws-world.js";

const AHEAD_MS = 3_600_000;

export function makeLivingAws(): AwsWorld {
  const made = makeAwsWorld({ now: () => systemClock.now() });
  const at = new Date(systemClock.now().getTime() + AHEAD_MS);
  made.heartbeats.set("orchestrator", { at, leader: "orchestrator-1" });
  return made;
}
