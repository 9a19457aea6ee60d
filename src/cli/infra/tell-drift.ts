/** Tells a runtime what a look at drift has found, which opens and closes the pull requests for it. */
import { type HttpResponse, sendHttp } from "../../adapter/http.js";
import { type Clock, systemClock } from "../../base/clock.js";
import { errorMessage } from "../../base/fault.js";
import { isJsonObject } from "../../base/json.js";
import { type AnsweredDrift, readAnsweredDrift } from "../../review/infra/answered-drift.js";
import type { DriftToTell } from "../../review/infra/told-drift.js";
import type { CommandIo } from "../command.js";
import { bearer, parseAnswer, type RuntimeAt, type RuntimePlace, runtimeAt } from "./runtime-at.js";

/** Above the runtime's own deadline for it. */
const TIMEOUT_MS = 35_000;
const TRIES = 3;
const WAIT_MAX_MS = 30_000;

/** Told again it is the same, so what was cut off is told again. Never throws: the issue says why there is no pull request. */
export async function tellDrift(
  place: RuntimePlace,
  drift: DriftToTell,
  io: CommandIo,
  clock: Clock = systemClock,
): Promise<AnsweredDrift> {
  const runtime = await runtimeAt(place, io);
  if (runtime === null) return { why: "no runtime was asked (--url)" };
  const { values, held } = drift;
  const look = { environment: place.env, looked_at: clock.now().toISOString(), values, held };
  for (let nth = 1; ; nth++) {
    try {
      const answer = await post(runtime, JSON.stringify(look));
      if (answer.status !== 503 || nth === TRIES) return readAnswer(answer);
      await clock.sleep(waitOf(answer));
    } catch (error) {
      if (nth === TRIES) return { why: `the runtime did not answer: ${errorMessage(error)}` };
    }
  }
}

function post({ base, token }: RuntimeAt, body: string): Promise<HttpResponse> {
  const headers = { "content-type": "application/json", ...bearer(token) };
  return sendHttp({
    ...({ system: "RUNTIME", method: "POST" } as const),
    url: `${base}/api/v1/drift/proposals`,
    ...{ timeoutMs: TIMEOUT_MS, signal: new AbortController().signal, body, headers },
  });
}

function readAnswer({ status, text }: HttpResponse): AnsweredDrift {
  const json = parseAnswer(text);
  const told = status === 200 ? readAnsweredDrift(json) : null;
  if (told !== null) return told;
  const detail = isJsonObject(json) && typeof json.detail === "string" ? `: ${json.detail}` : "";
  return { why: `the runtime answered ${status}${detail}` };
}

function waitOf({ headers }: HttpResponse): number {
  const seconds = Number(headers.get("retry-after") ?? 0);
  return Math.min(Number.isFinite(seconds) ? Math.max(0, seconds) * 1_000 : 0, WAIT_MAX_MS);
}
