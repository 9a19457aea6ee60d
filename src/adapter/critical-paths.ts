/** Whether the API answers people's most important questions, asked from outside as anybody would (BQ-op-26, BQ-api-09). */
import { Fault } from "../base/fault.js";
import type { PathLook } from "../runbook/port.js";
import { faultOfStatus, sendHttp } from "./http.js";

export interface CriticalPathsOptions {
  /** `https://api.example.com`. */
  readonly origin: string;
  /** Each begins with `/`. */
  readonly paths: readonly string[];
  /** Milliseconds for the answer of each. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const OK = 200;
/** What is said stays short, whatever stands in the answer. */
const BYTES_MAX = 1_048_576;

/** All at once, none twice, without credentials and without following anything. In the order of the paths. */
export function askPaths(options: CriticalPathsOptions): Promise<readonly PathLook[]> {
  return Promise.all(options.paths.map((path) => askPath(options, path)));
}

async function askPath(options: CriticalPathsOptions, path: string): Promise<PathLook> {
  const { origin, timeoutMs, signal } = options;
  const url = new URL(path, origin);
  if (url.origin !== new URL(origin).origin)
    return { path, state: "failed", found: `it leads to ${url.host}, which is another host` };
  const request = { system: "API", method: "GET", url: url.href, timeoutMs, signal } as const;
  try {
    const response = await sendHttp({ ...request, bytesMax: BYTES_MAX });
    if (response.status === OK) return { path, state: "passed", found: "it answered 200" };
    const fault = faultOfStatus("API", response, path);
    const found = `it answered ${response.status}, expected ${OK}`;
    return { path, state: fault?.kind === "transient" ? "waiting" : "failed", found };
  } catch (error) {
    // The run itself has ended: that is nothing about the path.
    if (!(error instanceof Fault) || signal.aborted) throw error;
    return { path, state: error.kind === "transient" ? "waiting" : "failed", found: error.message };
  }
}
