/**
 * Silences by Alertmanager's API, version 2, so that amtool and its like work with us unmodified. What differs: an end
 * within the policy's limits, an owner, a reason and narrow matchers are asked for, and expiring twice is no error.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { isIdle, stateOfSilence } from "../../alert/silence.js";
import type { NewSilence } from "../../alert/silence-wish.js";
import { parseInstant } from "../../base/instant.js";
import { Type } from "../../base/type.js";
import type { Matcher } from "../../policy/matcher.js";
import {
  expireSilence,
  type KnownSilence,
  listSilences,
  type PostContext,
  postSilence,
  readSilence,
} from "../../store/silences.js";
import {
  answerAsAlertmanager,
  type FilterQuery,
  readFilter,
  sendText,
} from "../alertmanager-reply.js";
import {
  GettableSilenceSchema,
  PostableSilenceSchema,
  ReceiverSchema,
  SilencePostedSchema,
  SilencesQuerySchema,
  StatusSchema,
} from "../alertmanager-schema.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { misfit } from "../problem.js";

export function alertmanagerRoutes(app: FastifyInstance, deps: WebDeps): void {
  aboutRoutes(app, deps);
  readRoutes(app, deps);
  writeRoutes(app, deps);
}

/** Whose words we speak: clients warn when it is another one than theirs. */
const SPEAKS = "0.25.0";

function aboutRoutes(app: FastifyInstance, { clock, commit, policy }: WebDeps): void {
  const uptime = clock.now().toISOString();
  app.get(
    "/api/v2/status",
    { schema: { summary: "Alertmanager's status", response: { 200: StatusSchema } } },
    async () => ({
      cluster: { status: "disabled", peers: [] },
      versionInfo: {
        ...{ version: SPEAKS, revision: commit ?? "", branch: "algobrain" },
        ...{ buildUser: "", buildDate: "", goVersion: "" },
      },
      config: { original: "# Rules and receivers are policies: GET /api/v1/policy\n" },
      uptime,
    }),
  );
  app.get(
    "/api/v2/receivers",
    {
      schema: {
        summary: "Who may be told, as Alertmanager lists them",
        response: { 200: Type.Array(ReceiverSchema) },
      },
    },
    async () => Object.keys(policy().routes.receivers).map((name) => ({ name })),
  );
}

function readRoutes(app: FastifyInstance, { db, clock, log }: WebDeps): void {
  const errorHandler = answerAsAlertmanager(log);
  app.get(
    "/api/v2/silences",
    {
      errorHandler,
      schema: {
        summary: "Silences that hold, are to come, or ended in the last five days",
        querystring: SilencesQuerySchema,
        response: { 200: Type.Array(GettableSilenceSchema) },
      },
    },
    async (request) => {
      const filter = readFilter(request.query as FilterQuery);
      const now = clock.now();
      const silences = await listSilences(db, now);
      return silences.filter((one) => hasAll(one, filter)).map((one) => toDocument(one, now));
    },
  );
  app.get(
    "/api/v2/silence/:silenceID",
    {
      errorHandler,
      schema: { summary: "One silence", response: { 200: GettableSilenceSchema } },
    },
    async (request, reply) => {
      const silence = await read(db, idOf(request));
      return silence ? toDocument(silence, clock.now()) : sendText(reply, 404, NOT_FOUND);
    },
  );
}

function writeRoutes(app: FastifyInstance, deps: WebDeps): void {
  const errorHandler = answerAsAlertmanager(deps.log);
  app.post(
    "/api/v2/silences",
    {
      errorHandler,
      schema: {
        summary: "Hold narrow alerts back for a while, with an owner and a reason; or change that",
        body: PostableSilenceSchema,
        response: { 200: SilencePostedSchema },
      },
    },
    (request, reply) => post(deps, request, reply),
  );
  app.delete(
    "/api/v2/silence/:silenceID",
    { errorHandler, schema: { summary: "End a silence now, also one of silences.yaml" } },
    (request, reply) => expire(deps, request, reply),
  );
}

async function post(deps: WebDeps, request: FastifyRequest, reply: FastifyReply) {
  const wish = toWish(request.body as Static<typeof PostableSilenceSchema>);
  if (wish.id !== null && !UUID.test(wish.id)) return sendText(reply, 404, NOT_FOUND);
  const context = contextOf(request, deps);
  const posted = await deps.db.transaction((tx) => postSilence(tx, wish, context));
  if (posted.outcome === "done") return { silenceID: posted.id };
  if (posted.outcome === "not-found") return sendText(reply, 404, NOT_FOUND);
  return sendText(reply, 400, `Failed to create silence: ${posted.reasons.join("; ")}`);
}

async function expire({ db, clock }: WebDeps, request: FastifyRequest, reply: FastifyReply) {
  const id = idOf(request);
  if (!UUID.test(id)) return sendText(reply, 404, NOT_FOUND);
  const who = { by: actorOf(request), now: clock.now() };
  const outcome = await db.transaction((tx) => expireSilence(tx, id, who));
  if (outcome === "not-found") return sendText(reply, 404, NOT_FOUND);
  return reply.code(200).type("application/json").send("");
}

/** The words by which amtool's import knows that it must make a new one. */
const NOT_FOUND = "silence not found";
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

function idOf(request: FastifyRequest): string {
  return (request.params as { silenceID: string }).silenceID;
}

async function read(db: WebDeps["db"], id: string): Promise<KnownSilence | null> {
  return UUID.test(id) ? readSilence(db, id) : null;
}

function contextOf(request: FastifyRequest, { clock, policy }: WebDeps): PostContext {
  const { monitoring, alerts } = policy();
  const by = actorOf(request);
  return { by, now: clock.now(), limits: monitoring.silences, rules: alerts };
}

function toWish(body: Static<typeof PostableSilenceSchema>): NewSilence {
  const { id = "", matchers, startsAt, endsAt, createdBy, comment, silencesPages = false } = body;
  return {
    id: id === "" ? null : id,
    matchers: matchers.map(({ name, value, isRegex, isEqual = true }) => ({
      ...{ name, value, isRegex, isEqual },
    })),
    startsAt: readMoment("/startsAt", startsAt),
    endsAt: readMoment("/endsAt", endsAt),
    ...{ createdBy, comment, silencesPages: silencesPages || /\[pages\]/i.test(comment) },
  };
}

function readMoment(pointer: string, text: string): Date {
  const moment = parseInstant(text);
  if (moment) return moment;
  throw misfit(
    "body",
    pointer,
    `is no moment such as 2026-03-01T12:00:00Z: "${text.slice(0, 50)}"`,
  );
}

/** As Alertmanager filters silences: each matcher asked for is one of its own, word for word. */
function hasAll({ matchers }: KnownSilence, wanted: readonly Matcher[]): boolean {
  return wanted.every((one) =>
    matchers.some(
      ({ name, value, isRegex, isEqual }) =>
        name === one.name &&
        value === one.value &&
        isRegex === one.isRegex &&
        isEqual === one.isEqual,
    ),
  );
}

function toDocument(silence: KnownSilence, now: Date) {
  const { id, matchers, startsAt, endsAt, updatedAt, createdBy, comment } = silence;
  const { silencesPages, source, name, matches, matchedAt } = silence;
  return {
    ...{ id, status: { state: stateOfSilence(silence, now) }, updatedAt: updatedAt.toISOString() },
    ...{ matchers, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() },
    ...{ createdBy, comment, silencesPages, source, matches },
    ...(name === null ? {} : { name }),
    ...(isIdle(silence, matchedAt, now) ? { note: IDLE } : {}),
  };
}

const IDLE =
  "It has hidden no alert since it began: nothing fires, or its matchers say something else than was meant.";
