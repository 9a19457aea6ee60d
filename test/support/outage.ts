/** The table "When something is away" of docs/operating.md, as what each flow comes to in each outage. */

export const LOST = [
  "Postgres down",
  "Postgres read-only",
  "Redis",
  "Slack",
  "PagerDuty",
  "GitHub",
  "DNS",
] as const;
export type Lost = (typeof LOST)[number];

export const FLOWS = [
  "Slack command",
  "PagerDuty event",
  "GitHub delivery",
  "running run",
  "sev1 page",
  "reading runbook in a terminal",
  "stop switch",
] as const;
export type Flow = (typeof FLOWS)[number];

/** What a flow comes to, and how the page says it. */
export const OUTCOMES = {
  "carried-out": "is carried out",
  "told-later": "is carried out; what it tells waits until that is back",
  "kept-here":
    "is kept in the journal of this machine and answered so; carried out once when it is back",
  "goes-on": "goes on",
  "noted-later": "goes on to its end; what it tells waits until that is back",
  resumed:
    "is let go of, and goes on where it was when it is back; a finished step is not repeated",
  outbox: "goes out",
  "other-ways": "goes out on the other way; what is for the lost one waits",
  waits: "waits in the outbox and goes out when names resolve again",
  direct: "goes out past the outbox, once, after 20 s",
  "in-part": "runs with `--offline`; what needs a row says so",
  whole: "runs with `--offline`",
  "names-it": "runs; `preflight-check` names what is lost",
  everywhere: "stops every machine",
  "this-machine": "stops this machine, and the others when it is back",
} as const;
export type Outcome = keyof typeof OUTCOMES;

const row = (...outcomes: readonly Outcome[]): Record<Flow, Outcome> =>
  Object.fromEntries(FLOWS.map((flow, at) => [flow, outcomes[at]!])) as Record<Flow, Outcome>;

export const CELLS: Readonly<Record<Lost, Readonly<Record<Flow, Outcome>>>> = {
  "Postgres down": row(
    ...(["kept-here", "kept-here", "kept-here", "resumed"] as const),
    ...(["direct", "in-part", "this-machine"] as const),
  ),
  "Postgres read-only": row(
    ...(["kept-here", "kept-here", "kept-here", "resumed"] as const),
    ...(["direct", "whole", "this-machine"] as const),
  ),
  Redis: row(
    ...(["carried-out", "carried-out", "carried-out", "goes-on"] as const),
    ...(["outbox", "names-it", "everywhere"] as const),
  ),
  Slack: row(
    ...(["told-later", "told-later", "carried-out", "noted-later"] as const),
    ...(["other-ways", "names-it", "everywhere"] as const),
  ),
  PagerDuty: row(
    ...(["carried-out", "told-later", "carried-out", "noted-later"] as const),
    ...(["other-ways", "names-it", "everywhere"] as const),
  ),
  GitHub: row(
    ...(["carried-out", "carried-out", "carried-out", "goes-on"] as const),
    ...(["outbox", "names-it", "everywhere"] as const),
  ),
  DNS: row(
    ...(["told-later", "told-later", "carried-out", "noted-later"] as const),
    ...(["waits", "names-it", "everywhere"] as const),
  ),
};

/** The rows of the page's table, from its head to its end. */
export function tableLines(): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(["Away", ...FLOWS]),
    line(["---", ...FLOWS.map(() => "---")]),
    ...LOST.map((lost) => line([lost, ...FLOWS.map((flow) => OUTCOMES[CELLS[lost][flow]])])),
  ];
}
