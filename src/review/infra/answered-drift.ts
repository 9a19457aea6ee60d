/** What a runtime answers a look at drift: pull requests by number, or why there are none. */
import { isJsonObject, type Json, type JsonObject } from "../../base/json.js";
import { oneLine } from "../../message/plain.js";

export interface AnsweredProposal {
  readonly path: string;
  readonly value: number;
  readonly outcome: "opened" | "open" | "refused" | "none";
  readonly number: number | null;
  readonly url: string | null;
  readonly why: string | null;
}

export interface AnsweredEnd {
  readonly path: string;
  readonly outcome: "closed" | "merged" | "left";
  readonly number: number;
  readonly why: string;
}

export interface HeardDrift {
  readonly proposals: readonly AnsweredProposal[];
  readonly ended: readonly AnsweredEnd[];
}

/** `why` in words: nothing was told, or nothing was heard. */
export type AnsweredDrift = HeardDrift | { readonly why: string };

const OUTCOMES = ["opened", "open", "refused", "none"] as const;
const ENDS = ["closed", "merged", "left"] as const;
const PATH = /^[a-z][\w.-]{0,200}$/;
const URL_FORM =
  /^https:\/\/[\w.-]{1,100}(:\d{1,5})?\/[\w.-]{1,100}\/[\w.-]{1,100}\/pull\/\d{1,9}$/;

/** Null: it is no answer of ours. @param json of POST /api/v1/drift/proposals */
export function readAnsweredDrift(json: unknown): AnsweredDrift | null {
  if (!isJsonObject(json) || !Array.isArray(json.proposals) || !Array.isArray(json.ended))
    return null;
  const proposals = json.proposals.map(readProposal);
  const ended = json.ended.map(readEnd);
  if (proposals.includes(null) || ended.includes(null)) return null;
  return {
    proposals: proposals.filter((one) => one !== null),
    ended: ended.filter((one) => one !== null),
  };
}

function readProposal(json: Json): AnsweredProposal | null {
  if (!isJsonObject(json)) return null;
  const { path, value, why = null } = json;
  const outcome = OUTCOMES.find((one) => one === json.outcome);
  if (!isPath(path) || typeof value !== "number" || outcome === undefined) return null;
  if (why !== null && typeof why !== "string") return null;
  const place = placeOf(json);
  if ((place === null) !== (outcome === "none")) return null;
  return { path, value, outcome, why, number: place?.number ?? null, url: place?.url ?? null };
}

function readEnd(json: Json): AnsweredEnd | null {
  if (!isJsonObject(json)) return null;
  const outcome = ENDS.find((one) => one === json.outcome);
  const place = placeOf(json);
  const { path, why } = json;
  if (!isPath(path) || typeof why !== "string" || outcome === undefined || place === null)
    return null;
  return { path, outcome, number: place.number, why };
}

function isPath(path: Json | undefined): path is string {
  return typeof path === "string" && PATH.test(path);
}

function placeOf({ pull_request: place }: JsonObject): { number: number; url: string } | null {
  if (!isJsonObject(place)) return null;
  const { number, url } = place;
  if (!Number.isSafeInteger(number) || typeof url !== "string" || !URL_FORM.test(url)) return null;
  return { number: Number(number), url };
}

/** For a terminal, a line each. */
export function answeredLines({ proposals, ended }: HeardDrift): string[] {
  return [
    ...proposals.map(({ path, value, outcome, url, why }) =>
      oneLine(
        `${path} = ${value}: ${outcome}${url === null ? "" : ` ${url}`}${why === null ? "" : `, ${why}`}`,
      ),
    ),
    ...ended.map(({ number, outcome, why }) => oneLine(`#${number}: ${outcome}, ${why}`)),
  ];
}
