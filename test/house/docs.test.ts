/** What the code says by name stands in the docs, and nothing else does. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT, type SourceFile, sourceFile, sourceFiles } from "./source-tree.js";
import {
  environmentNames,
  errorCodes,
  eventLevels,
  isEventName,
  type LogEvent,
  logEvents,
  type Said,
} from "./spoken.js";

const product = sourceFiles().filter(({ path }) => /^(src|stacks|runbooks)\//.test(path));

function doc(name: string): string {
  const path = join(ROOT, "docs", name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** Names in the first cell of the rows of all tables. */
function documentedNames(text: string): Set<string> {
  const cells = [...text.matchAll(/^\|([^|]*)\|/gm)].map(([, cell]) => cell!);
  return new Set(
    cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)),
  );
}

/** Each missing name once, with the first place that says it. */
function missingFrom(known: ReadonlySet<string>, said: readonly Said[]): string[] {
  const first = new Map<string, string>();
  for (const { name, path, line } of said)
    if (!known.has(name) && !first.has(name)) first.set(name, `${name} (${path}:${line})`);
  return [...first.values()].sort();
}

describe("docs/errors.md", () => {
  const codes = product.flatMap(errorCodes);
  const known = documentedNames(doc("errors.md"));

  test("lists every code that a fault may carry", () => {
    expect(missingFrom(known, codes), "add a row for each of these").toEqual([]);
  });

  test("lists none that no code has", () => {
    const used = new Set(codes.map(({ name }) => name));
    const gone = [...known].filter((name) => /^[A-Z*][A-Z0-9_*]+$/.test(name) && !used.has(name));
    expect(gone, "take these rows out").toEqual([]);
  });
});

describe("docs/events.md", () => {
  const events = product.flatMap(logEvents);

  test("every log line is an event: noun.participle", () => {
    const prose = events.filter(({ name }) => !isEventName(name));
    const places = prose.map(({ name, path, line }) => `${path}:${line}: "${name}"`);
    expect(places, "name what happened, and put the rest into fields").toEqual([]);
  });

  test("is what the code says (npx vitest run test/house/docs -u writes it)", async () => {
    await expect(renderEvents(events)).toMatchFileSnapshot(join(ROOT, "docs", "events.md"));
  });
});

describe("docs/operating.md", () => {
  const readers = product.filter(({ path }) =>
    /^src\/(runtime\/(data-|gitops-)?config|cli)\.ts$/.test(path),
  );
  const names = readers.flatMap(environmentNames);
  const text = doc("operating.md");

  test("names every environment variable that is read", () => {
    // A family is written once in full; `WORKER_CONCURRENCY_*` is there when one of it is.
    const missing = names.filter(({ name }) => !text.includes(`\`${name.replace(/\*$/, "")}`));
    expect(missingFrom(new Set(), missing), "add a row for each of these").toEqual([]);
  });

  test("names none that nothing reads", () => {
    const read = names.map(({ name }) => name);
    const gone = [...documentedNames(text)]
      .filter((name) => /^[A-Z][A-Z0-9_]+$/.test(name))
      .filter((name) => !read.some((one) => one === name || isOfFamily(name, one)));
    expect(gone, "take these out, or read them").toEqual([]);
  });

  function isOfFamily(name: string, family: string): boolean {
    return family.endsWith("*") && name.startsWith(family.slice(0, -1));
  }
});

function renderEvents(events: readonly LogEvent[]): string {
  const levels = new Map(product.flatMap((file) => [...eventLevels(file)]));
  const names = [...new Set(events.map(({ name }) => name))].filter(isEventName).sort();
  const rows = names.map((name) => {
    const said = events.filter((event) => event.name === name);
    const level = unique(said.map((event) => event.level ?? levels.get(name) ?? "–"));
    const fields = unique(said.flatMap((event) => event.fields)).map((field) => `\`${field}\``);
    const rooms = unique(said.map(({ path }) => path.split("/").slice(0, -1).join("/")));
    return `| \`${name}\` | ${level.join(", ")} | ${fields.join(" ") || "–"} | ${rooms.join(", ")} |`;
  });
  return [
    "# Events",
    "",
    "Every log line is one JSON object with `time`, `level`, `event` and the fields below; there are no",
    "prose-only lines. `…` stands for fields that the place passes on; events of a job carry `job_id`, `job_type`,",
    "`worker_id` and `attempt` (HB-log-02, HB-log-03). This table is written from the code:",
    "`npx vitest run test/house/docs -u`.",
    "",
    "| event | level | fields | said in |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function unique(items: readonly string[]): string[] {
  return [...new Set(items)].sort();
}

describe("the listeners hear what they are for", () => {
  const file = (text: string): SourceFile => sourceFile("src/web/a.ts", text);

  test("codes on one line, on the next, of a choice, and with a part that varies", () => {
    const text = `
      throw fault.refused("A_CODE", "x");
      throw fault.data(
        "B_CODE",
        "X_NOT_A_CODE");
      throw fault.waiting(late ? "C_CODE" : "D_CODE", text);
      return new Fault(kind, \`\${system}_FAILED\`, text);
      // fault.data("NOT_SAID", "x")`;
    expect(errorCodes(file(text)).map(({ name }) => name)).toEqual([
      "A_CODE",
      "B_CODE",
      "C_CODE",
      "D_CODE",
      "*_FAILED",
    ]);
  });

  test("events with their level and fields", () => {
    const text = `
      deps.log.warn("delivery.refused", { deliveryId, why: error.code, ...more });
      this.#log.info("server.stopped");
      emit({ event: "job.lost", job_id: id });`;
    expect(logEvents(file(text))).toMatchObject([
      { name: "delivery.refused", level: "warn", fields: ["deliveryId", "why", "…"] },
      { name: "server.stopped", level: "info", fields: [] },
      { name: "job.lost", level: null, fields: ["job_id"] },
    ]);
  });

  test("variables, and families of them", () => {
    const text = `reader.text("DATABASE_URL"); reader.text(\`WORKER_\${kind}\`); f("lower", "PORT");`;
    expect(environmentNames(file(text)).map(({ name }) => name)).toEqual([
      "DATABASE_URL",
      "WORKER_*",
      "PORT",
    ]);
  });
});
