/** Incidents: who opened, who answers, what happened, and what was found when it was over (RB-95, RB-96, AM-inc-01). */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import {
  INCIDENT_STATUSES,
  type Incident,
  type IncidentRole,
  postMortemDue,
} from "../../alert/incident.js";
import { postMortemDraft } from "../../alert/post-mortem.js";
import { timelineMarkdown } from "../../alert/timeline.js";
import { closed, Type } from "../../base/type.js";
import type { Severity } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import { readTimeline } from "../../store/incident-timeline.js";
import {
  type Act,
  acknowledgeIncident,
  closeIncident,
  listIncidents,
  noteIncident,
  openIncident,
  readIncident,
  setIncidentRole,
} from "../../store/incidents.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import {
  CloseSchema,
  IncidentSchema,
  NewIncidentSchema,
  NoteSchema,
  RoleSchema,
  toIncidentDocument,
} from "../incident-document.js";
import { HttpProblem, misfit } from "../problem.js";
import { Limit, PAGE_DEFAULT } from "../schema.js";
import { shownTo } from "../viewer-mask.js";

const AT = "/api/v1/incidents";
const ListQuery = Type.Object(
  {
    status: Type.Optional(Type.String({ enum: [...INCIDENT_STATUSES] })),
    limit: Type.Optional(Limit),
  },
  closed,
);
const ListSchema = Type.Object({ incidents: Type.Array(IncidentSchema) });

export function incidentRoutes(app: FastifyInstance, deps: WebDeps): void {
  readingRoutes(app, deps);
  app.post(
    AT,
    {
      schema: {
        summary: "Open an incident: it gets a number and a time by which somebody answers",
        body: NewIncidentSchema,
        response: { 201: IncidentSchema },
      },
    },
    async (request, reply) => {
      const incident = await open(deps, request);
      return reply.code(201).send(toIncidentDocument(incident));
    },
  );
  app.post(`${AT}/:number/acknowledge`, changing("Say that you are on it"), (request) =>
    change(deps, request, acknowledgeIncident),
  );
  app.post(`${AT}/:number/roles`, changing("Say who does what", RoleSchema), (request) => {
    const { role, person } = request.body as Static<typeof RoleSchema>;
    const given = { role: role as IncidentRole, person };
    return change(deps, request, (tx, number, act) => setIncidentRole(tx, number, given, act));
  });
  app.post(`${AT}/:number/notes`, changing("Add a line to the timeline", NoteSchema), (request) => {
    const note = { ...(request.body as Static<typeof NoteSchema>), door: "api" };
    return change(deps, request, (tx, number, act) => noteIncident(tx, number, note, act));
  });
  app.post(
    `${AT}/:number/close`,
    changing("Close it with what was found; the duration is computed", CloseSchema),
    (request) => close(deps, request),
  );
}

function changing(
  summary: string,
  body?: typeof RoleSchema | typeof NoteSchema | typeof CloseSchema,
) {
  return { schema: { summary, ...(body && { body }), response: { 200: IncidentSchema } } };
}

function readingRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    AT,
    {
      schema: {
        summary: "Open incidents first, then the newest",
        querystring: ListQuery,
        response: { 200: ListSchema },
      },
    },
    async (request) => {
      const { status, limit = PAGE_DEFAULT } = request.query as Static<typeof ListQuery>;
      const statuses = INCIDENT_STATUSES.filter((one) => one === status);
      const filter = { limit, statuses: status === undefined ? undefined : statuses };
      return { incidents: (await listIncidents(deps.db, filter)).map(toIncidentDocument) };
    },
  );
  app.get(
    `${AT}/:number`,
    { schema: { summary: "One incident", response: { 200: IncidentSchema } } },
    async (request) => toIncidentDocument(await find(deps, request)),
  );
  app.get(
    `${AT}/:number/timeline`,
    {
      schema: {
        summary: "What happened, from everywhere, as Markdown",
        produces: ["text/markdown"],
      },
    },
    async (request, reply) =>
      reply.type(MARKDOWN).send(await page(deps, request, timelineMarkdown)),
  );
  app.get(
    `${AT}/:number/post-mortem`,
    { schema: { summary: "A draft for the review, as Markdown", produces: ["text/markdown"] } },
    async (request, reply) => reply.type(MARKDOWN).send(await page(deps, request, postMortemDraft)),
  );
}

const MARKDOWN = "text/markdown; charset=utf-8";

async function page(
  deps: WebDeps,
  request: FastifyRequest,
  write: typeof timelineMarkdown,
): Promise<string> {
  const incident = await find(deps, request);
  // Before it is written: Markdown escapes what an address is known by.
  const shown = shownTo(request, deps);
  return write(shown(incident), shown(await readTimeline(deps.db, incident, deps.clock.now())));
}

function numberOf(request: FastifyRequest): string {
  return (request.params as { readonly number: string }).number;
}

async function find({ db }: { readonly db: Sql }, request: FastifyRequest): Promise<Incident> {
  const number = numberOf(request);
  const incident = await readIncident(db, number);
  if (incident) return incident;
  throw new HttpProblem("not-found", `There is no incident "${number}"; GET ${AT} lists them.`);
}

async function open(deps: WebDeps, request: FastifyRequest): Promise<Incident> {
  const { title, severity, started_at } = request.body as Static<typeof NewIncidentSchema>;
  const now = deps.clock.now();
  const startedAt = pastMoment(started_at, "/started_at", now);
  const wish = { title, severity: severity as Severity, causeKey: null, startedAt, now };
  const by = actorOf(request);
  return deps.db.transaction(async (tx) => {
    const { number } = await openIncident(tx, { ...wish, by }, deps.policy());
    return (await readIncident(tx, number))!;
  });
}

/** Nothing begins or ends in the future. */
function pastMoment(text: string | undefined, pointer: string, now: Date): Date {
  if (text === undefined) return now;
  const at = new Date(text);
  if (at <= now) return at;
  throw misfit("body", pointer, `must not be after ${now.toISOString()}`);
}

async function change(
  deps: WebDeps,
  request: FastifyRequest,
  work: (tx: Sql, number: string, act: Act) => Promise<boolean>,
) {
  const act = { by: actorOf(request), now: deps.clock.now() };
  const done = await deps.db.transaction((tx) => work(tx, numberOf(request), act));
  const incident = await find(deps, request);
  if (!done) throw conflict(incident);
  return toIncidentDocument(incident);
}

async function close(deps: WebDeps, request: FastifyRequest) {
  const said = request.body as Static<typeof CloseSchema>;
  const { symptoms, resolution, prevention } = said;
  const findings = { symptoms, rootCause: said.root_cause, resolution, prevention };
  const now = deps.clock.now();
  const { severity, startedAt } = await find(deps, request);
  const resolvedAt = pastMoment(said.resolved_at, "/resolved_at", now);
  if (resolvedAt < startedAt)
    throw misfit("body", "/resolved_at", `must not be before ${startedAt.toISOString()}`);
  const due = postMortemDue(severity, now, deps.policy().monitoring.incidents);
  const closing = { findings, resolvedAt, postMortemDue: due };
  return change(deps, request, async (tx, number, act) => {
    return (await closeIncident(tx, number, closing, act)) !== null;
  });
}

function conflict({ number, status, acknowledgedBy, closedBy }: Incident): HttpProblem {
  const by = status === "closed" ? closedBy : acknowledgedBy;
  return new HttpProblem("state-conflict", `${number} is ${status} already, by ${by ?? "nobody"}.`);
}
