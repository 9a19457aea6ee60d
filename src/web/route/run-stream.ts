/**
 * A run while it goes on, as server-sent events (WHATWG HTML, section 9.2): `run`, `step` and `line`, the last with
 * the number of its line as id, so that whoever lost the connection goes on where it was (`Last-Event-ID`).
 */
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { errorMessage } from "../../base/fault.js";
import { createRunFeed } from "../../store/run-feed.js";
import { readRun } from "../../store/runs.js";
import type { WebDeps } from "../deps.js";
import { HttpProblem } from "../problem.js";
import { type RunEvent, RunEvents } from "../run-events.js";
import { noSuchRun, runIdOf } from "../run-id.js";
import { shownTo } from "../viewer-mask.js";

/** Each costs two looks a second. */
const STREAMS_MAX = 50;
/** Proxies end a connection that says nothing for a minute. */
const BEAT_MS = 15_000;
/** A token's rights are looked at when a stream begins: nobody watches for longer on them. */
const STREAM_MAX_MS = 30 * 60_000;

export function runStreamRoutes(app: FastifyInstance, deps: WebDeps): void {
  let open = 0;
  const closing = new AbortController();
  // A deployment need not wait for those who watch.
  app.addHook("preClose", async () => closing.abort());
  app.get(
    "/api/v1/runs/:id/stream",
    {
      schema: {
        summary:
          "A run while it goes on, as server-sent events: run, step, line; ends with the run",
      },
    },
    async (request, reply) => {
      const id = runIdOf(request);
      const after = lastLineOf(request);
      if ((await readRun(deps.db, id)) === null) throw noSuchRun(id);
      if (open >= STREAMS_MAX)
        throw new HttpProblem("busy", `More than ${STREAMS_MAX} runs are watched here already.`, {
          retryAfterS: 10,
        });
      open += 1;
      const gone = new AbortController();
      reply.raw.once("close", () => {
        open -= 1;
        gone.abort();
      });
      const signal = AbortSignal.any([
        ...[gone.signal, closing.signal],
        AbortSignal.timeout(STREAM_MAX_MS),
      ]);
      reply.header("content-type", "text/event-stream; charset=utf-8");
      reply.header("cache-control", "no-store");
      // Nginx and its like would keep the events until there are many of them.
      reply.header("x-accel-buffering", "no");
      const shown = shownTo(request, deps);
      return reply.send(Readable.from(wire(deps, { id, after, shown }, signal)));
    },
  );
}

interface Watched {
  readonly id: string;
  /** Number of the last line the watcher has. */
  readonly after: number;
  readonly shown: (data: object) => object;
}

async function* wire(
  deps: WebDeps,
  { id, after, shown }: Watched,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const { clock, log } = deps;
  const events = new RunEvents();
  let saidMs = clock.now().getTime();
  try {
    for await (const news of createRunFeed(deps).follow(id, after, signal)) {
      const text = events
        .next(news)
        .map((event) => toWire(event, shown))
        .join("");
      const nowMs = clock.now().getTime();
      const isSilent = text === "" && nowMs - saidMs >= BEAT_MS;
      if (text !== "" || isSilent) saidMs = nowMs;
      if (text !== "") yield text;
      else if (isSilent) yield ": still there\n\n";
    }
  } catch (thrown) {
    // The head is sent: all that can be said is to come again.
    log.warn("run.stream-ended", { run_id: id, error: errorMessage(thrown) });
    yield "retry: 5000\n\n";
  }
}

/** No text in JSON holds a line break: one line of data an event. */
function toWire({ event, id, data }: RunEvent, shown: Watched["shown"]): string {
  const head = id === undefined ? "" : `id: ${id}\n`;
  return `${head}event: ${event}\ndata: ${JSON.stringify(shown(data))}\n\n`;
}

const LINE_NO = /^\d{1,7}$/;

/** Whoever comes for the first time names none. */
function lastLineOf(request: FastifyRequest): number {
  const last = request.headers["last-event-id"];
  if (last === undefined || last === "") return 0;
  if (typeof last === "string" && LINE_NO.test(last)) return Number(last);
  throw new HttpProblem(
    "malformed-request",
    "The header Last-Event-ID is not the number of a line.",
  );
}
