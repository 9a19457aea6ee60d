/** Rules are judged by one of all main processes, whoever leads: with the orchestrator gone, its absence is still found. */
import { errorMessage } from "../base/fault.js";
import { createAlertAutomation } from "../runtime/alert-automation.js";
import { createOpenOnPage } from "../runtime/incidents.js";
import { createSpeak, type Speak } from "../runtime/speak.js";
import { openSilencer } from "../runtime/speaking/silencer.js";
import { createEvaluateAlertsTick } from "../runtime/tick/evaluate-alerts.js";
import { runTicks } from "../runtime/ticker.js";
import type { Foundation } from "./foundation.js";
import { loadRunbooks } from "./runbooks.js";

export async function startEvaluating(foundation: Foundation): Promise<{ stop(): Promise<void> }> {
  const registry = await loadRunbooks();
  const tick = createEvaluateAlertsTick({
    ...foundation,
    speak: speakOf(foundation),
    onTransitions: createAlertAutomation({ ...foundation, registry }),
  });
  const stopped = new AbortController();
  const judging = runTicks([tick], foundation, stopped.signal);
  return {
    stop: async () => {
      stopped.abort();
      await judging;
      await leave(tick, foundation);
    },
  };
}

/** Another takes over at once, and not when the lease has run out; without a database it runs out by itself. */
async function leave(tick: { leave(): Promise<void> }, { log }: Foundation): Promise<void> {
  try {
    await tick.leave();
  } catch (error) {
    log.debug("lease.not-dropped", { error: errorMessage(error) });
  }
}

/** What people hear of alerts: silences are asked, and the first page of a trouble opens its incident. */
function speakOf({ policy, clock }: Foundation): Speak {
  const onPage = createOpenOnPage({ policy, now: () => clock.now() });
  return createSpeak({ onPage, silences: openSilencer });
}
