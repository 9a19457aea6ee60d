/** What a watcher of a run is told, event by event: over server-sent events, and as lines of JSON at a terminal. */
import type { RunNews } from "../runbook/feed.js";
import type { RunLine } from "../runbook/run.js";
import { toLineDocument, toRunDocument, toStepDocument } from "./run-document.js";

export interface RunEvent {
  readonly event: "run" | "step" | "line";
  /** Of a line: where whoever comes back goes on. */
  readonly id?: number;
  readonly data: object;
}

/** One a watcher: it remembers what was told, and tells only what is new. */
export class RunEvents {
  readonly #told = new Map<string, string>();

  /** Lines last but for the run's end, so that whoever sees the end has seen everything. */
  next({ run, steps, lines }: RunNews): RunEvent[] {
    const stepEvents = steps.map(
      (step): RunEvent => ({ event: "step", data: toStepDocument(step) }),
    );
    const runEvent: RunEvent = { event: "run", data: toRunDocument(run) };
    const isOver = run.endedAt !== null;
    return [
      ...(isOver ? [] : this.#fresh("run", runEvent)),
      ...stepEvents.flatMap((event, at) => this.#fresh(`step ${at}`, event)),
      ...lines.map((line): RunEvent => lineEvent(line)),
      ...(isOver ? this.#fresh("run", runEvent) : []),
    ];
  }

  #fresh(key: string, event: RunEvent): RunEvent[] {
    const text = JSON.stringify(event.data);
    if (this.#told.get(key) === text) return [];
    this.#told.set(key, text);
    return [event];
  }
}

function lineEvent(line: RunLine): RunEvent {
  return { event: "line", id: line.lineNo, data: toLineDocument(line) };
}
