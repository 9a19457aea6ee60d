/** Incidents over the API: from opened to reviewed. */
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createServer } from "../../src/web/server.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { injectAs, makeDeps } from "./harness.js";

let lent: TestDatabase;
let app: FastifyInstance;
beforeAll(async () => {
  lent = await createTestDatabase();
  app = await createServer(makeDeps(lent.db));
});
afterAll(async () => {
  await app.close();
  await lent.drop();
});

const AT = "/api/v1/incidents";
const post = (url: string, payload: object = {}, role: "viewer" | "operator" = "operator") =>
  injectAs(app, role, { method: "POST", url, payload });
const get = (url: string) => injectAs(app, "viewer", { url });
const open = async (): Promise<string> =>
  (await post(AT, { title: "checkout is down", severity: "sev1" })).json().number;
const FOUND = {
  ...{ symptoms: "no orders", root_cause: "a full disk" },
  ...{ resolution: "space", prevention: "an alert" },
};

test("is opened, answered, told about, closed with what was found, and reviewed", async () => {
  const number = await open();
  expect((await post(`${AT}/${number}/acknowledge`)).json()).toMatchObject({
    ...{ number, status: "acknowledged", acknowledged_by: expect.stringMatching(/^api:/) },
  });
  const roles = await post(`${AT}/${number}/roles`, { role: "commander", person: "ann" });
  expect(roles.json()).toMatchObject({ roles: { commander: "ann" } });
  await post(`${AT}/${number}/notes`, { text: "the disk is full <b>" });
  const closed = await post(`${AT}/${number}/close`, FOUND);
  expect(closed.json()).toMatchObject({ status: "closed", root_cause: "a full disk" });
  expect(closed.json().duration).toMatch(/^\d+s$/);
  expect(closed.json().post_mortem_due).not.toBeNull();
  const timeline = await get(`${AT}/${number}/timeline`);
  expect(timeline.headers["content-type"]).toBe("text/markdown; charset=utf-8");
  expect(timeline.body).toContain(`# ${number}: checkout is down`);
  expect(timeline.body).toContain("the disk is full &lt;b&gt;");
  expect(timeline.body).toContain("role-given: commander is ann");
  const draft = await get(`${AT}/${number}/post-mortem`);
  expect(draft.body).toContain("## Root cause\n\na full disk");
  const { incidents } = (await get(`${AT}?status=closed`)).json();
  expect(incidents.map((one: { number: string }) => one.number)).toEqual([number]);
});

test("a second answer, a second end, and what is not there are told apart", async () => {
  const number = await open();
  await post(`${AT}/${number}/acknowledge`);
  const again = await post(`${AT}/${number}/acknowledge`);
  expect([again.statusCode, again.json().code]).toEqual([409, "state-conflict"]);
  expect(again.json().detail).toContain("is acknowledged already, by api:");
  expect((await post(`${AT}/${number}/close`, FOUND)).statusCode).toBe(200);
  expect((await post(`${AT}/${number}/close`, FOUND)).statusCode).toBe(409);
  const unknown = await post(`${AT}/INC-2000-01-01-001/acknowledge`);
  expect([unknown.statusCode, unknown.json().code]).toEqual([404, "not-found"]);
});

test.each([
  ["no title", { severity: "sev1" }],
  ["a severity that is none", { title: "down", severity: "P1" }],
  [
    "a beginning in the future",
    { title: "down", severity: "sev1", started_at: "2999-01-01T00:00:00Z" },
  ],
])("%s opens nothing", async (_, payload) => {
  const before = (await get(AT)).json().incidents.length;
  expect((await post(AT, payload)).statusCode).toBe(422);
  expect((await get(AT)).json().incidents).toHaveLength(before);
});

test("an end before the beginning, or without what was found, closes nothing", async () => {
  const number = await open();
  const early = await post(`${AT}/${number}/close`, {
    ...FOUND,
    resolved_at: "2020-01-01T00:00:00Z",
  });
  expect([early.statusCode, early.json().errors[0].pointer]).toEqual([422, "/resolved_at"]);
  expect((await post(`${AT}/${number}/close`, { symptoms: "none" })).statusCode).toBe(422);
  expect((await get(`${AT}/${number}`)).json().status).toBe("open");
});

test("a viewer looks and changes nothing; safe mode hinders nobody who answers", async () => {
  const number = await open();
  expect((await post(`${AT}/${number}/acknowledge`, {}, "viewer")).statusCode).toBe(403);
  await lent.db.query("UPDATE control.safe_mode SET active = true, reason = 'test'");
  expect((await post(`${AT}/${number}/acknowledge`)).statusCode).toBe(200);
  await lent.db.query("UPDATE control.safe_mode SET active = false, reason = NULL");
});
