/** (a) This checkout is indexed: one job, two follow-ups, real history. */

import { readIndexEvidence } from "../store/evidence.js";
import { readJob } from "../store/jobs.js";
import { submitJob } from "../store/submit-job.js";
import type { Act } from "./stage.js";

export const ACTOR = "cli:gameday";

export const indexThisCheckout: Act = async (stage, timeline) => {
  const { db, packageRoot } = stage;
  timeline.act("a", "this checkout is indexed");
  const job = await submitJob(db, { kind: "index", payload: { path: packageRoot }, actor: ACTOR });
  timeline.note(`${job.id} indexes ${packageRoot}`);
  await timeline.verify("the index job completed", async () => {
    const found = await readJob(db, job.seq);
    return found?.status === "completed" ? `${job.id} after ${found.attempts} attempt` : null;
  });
  await timeline.verify("people were found in the history", async () => {
    const seen = await readIndexEvidence(db, packageRoot);
    return seen && seen.people > 0
      ? `${seen.people} people, ${seen.claims} claims, ${seen.commits} commits`
      : null;
  });
  await timeline.verify("the score stands with its parts", async () => {
    const seen = await readIndexEvidence(db, packageRoot);
    if (seen?.score === null || seen?.score === undefined || !seen.parts) return null;
    return `${seen.score} from ${Object.keys(seen.parts).join(", ")}`;
  });
};
