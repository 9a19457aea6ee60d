/** The record of a run that no database keeps: of reading alone, in the terminal of whoever asks. */
import type { Recorder } from "./execution.js";
import type { StepKey, StepRecord } from "./run.js";

/** @param onLine told of every line as it comes, redacted */
export function createMemoryRecorder(onLine: (line: string) => void): Recorder {
  const steps: StepRecord[] = [];
  const isSame = (a: StepKey, b: StepKey) => a.phase === b.phase && a.ordinal === b.ordinal;
  return {
    steps: async () => [...steps],
    begin: async (step) => {
      steps.push({ ...step, status: "running", output: "", result: null, error: null });
    },
    finish: async (step, { status, output, result = null, error = null }) => {
      const at = steps.findIndex((one) => isSame(one, step));
      const ended = { ...step, status, output, result, error };
      if (at === -1) steps.push(ended);
      else steps[at] = ended;
    },
    keepPlan: async () => {},
    line: (_, __, text) => onLine(text),
    processStarted: async () => {},
    processEnded: async () => {},
  };
}
