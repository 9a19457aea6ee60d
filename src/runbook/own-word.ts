/**
 * Which of what comes in from outside we said ourselves: it must start nothing. By what we write into it and not by
 * whose account it is: our notes and comments are written in a person's name, and that person says other things too.
 */

/**
 * Whether an incident is a word of our own about a run or about automation: it must not start the next run.
 * Their keys are those of `RuntimeWord`: `<system>/run-17/…`, `<system>/automation/…`.
 */
export function isOwnIncident(incidentKey: string | null): boolean {
  return incidentKey !== null && /^[^/]+\/(?:run-\d+|automation)\//.test(incidentKey);
}

/** Whether a note on an incident has one of the markers by which it is written once: `run-17:succeeded`, `inbound-4:held`. */
export function isOwnNote(content: unknown): boolean {
  return typeof content === "string" && /(?:^|\s)(?:run|inbound)-\d+:[a-z-]+(?:\s|$)/.test(content);
}

/** Whether a comment on a pull request has the first line of a sticky one (review/sticky.ts), whoever's token wrote it. */
export function isOwnComment(body: unknown): boolean {
  return typeof body === "string" && /^<!-- algobrain:[a-z0-9-]+ v\d+ /.test(body);
}
