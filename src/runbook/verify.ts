/** Whether it helped: that the steps ended without an error does not say so. */
import { Fault } from "../base/fault.js";
import type { Plan, Verdict } from "./define.js";
import { contextFor, type Execution, readOnly } from "./execution.js";
import { type RunEnding, RunStopped, type StepKey } from "./run.js";
import { record } from "./step-record.js";

/** The sentence that says why the run succeeded. */
export async function verify(
  execution: Execution,
  plan: Plan,
): Promise<Pick<RunEnding, "outcome" | "verified">> {
  const rule = execution.runbook.verify;
  if (!rule) return { outcome: execution.answers.at(-1)?.answer.text.split("\n")[0] || "done" };
  const key: StepKey = { phase: "verify", ordinal: 0, name: "verify" };
  const verdict = await record<Verdict>(execution, key, {
    run: async (transcript, limited) => {
      const context = readOnly(limited, contextFor(limited, key, plan, transcript));
      const deadline = limited.now().getTime() + rule.withinMs(limited.run.params);
      for (;;) {
        const found = redactVerdict(limited, await look(() => rule.check(context)));
        const isOver = limited.now().getTime() >= deadline;
        if (found.state === "failed" || (found.state === "waiting" && isOver))
          throw new RunStopped("failed", found.text, { verified: false });
        if (found.state === "passed") return { value: found, answer: { text: found.text } };
        await limited.sleep(rule.everyMs, limited.signal);
        limited.signal.throwIfAborted();
      }
    },
  });
  return { outcome: verdict.text, verified: true };
}

function redactVerdict({ redact }: Execution, verdict: Verdict): Verdict {
  return { ...verdict, text: redact(verdict.text) };
}

/** A look that could not be taken is taken again while there is time: what was done stands all the same. */
async function look(check: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await check();
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === "transient")
      return { state: "waiting", text: `it could not be verified: ${thrown.message}` };
    throw thrown;
  }
}
