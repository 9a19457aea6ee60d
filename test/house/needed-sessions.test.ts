/** Which sessions are never ended is said twice, for plans and by the database that holds to it: in the same words. */
import { expect, test } from "vitest";
import { NEEDED_SESSIONS } from "../../src/runbook/define.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";

test("the database refuses to end what no runbook counts among the sessions that may be ended", async () => {
  const { control } = await readMigrationFiles();
  const last = control.findLast(({ sql }) => sql.includes("FUNCTION control.end_session("));
  const [, words] = /a\.application_name ~ '([^']+)'/.exec(last?.sql ?? "") ?? [];
  expect(words, "the words of src/runbook/define.ts and of control.end_session").toBe(
    NEEDED_SESSIONS.source,
  );
});
