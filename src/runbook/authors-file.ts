/**
 * `authors.json`, which the build lays beside the compiled runbooks (scripts/runbook-authors.mjs). Each entry names
 * the content it is about: of another content it says nothing.
 */
import type { Static } from "typebox";
import { fault } from "../base/fault.js";
import { compileSchema } from "../base/schema.js";
import { closed, Type } from "../base/type.js";
import type { RunbookChange } from "./authors.js";

const Text = Type.String({ maxLength: 500 });
const File = Type.Object(
  {
    runbooks: Type.Record(
      Type.String(),
      Type.Object(
        {
          contentHash: Type.String({ pattern: "^[0-9a-f]{64}$", description: "sha256" }),
          commit: Type.Union([Type.String({ pattern: "^[0-9a-f]{40,64}$" }), Type.Null()]),
          authors: Type.Array(Type.Object({ name: Text, email: Text }, closed)),
        },
        closed,
      ),
    ),
  },
  closed,
);
const FileSchema = compileSchema<Static<typeof File>>(File);

export interface RunbookAuthors {
  /** Null: not known, or known of another content. */
  changeOf(runbook: string, contentHash: string): RunbookChange | null;
}

/** @param text null: there is no such file @throws a critical Fault when it is not what the build writes */
export function readRunbookAuthors(text: string | null): RunbookAuthors {
  const entries = text === null ? {} : parse(text);
  return {
    changeOf: (runbook, contentHash) => {
      const entry = Object.hasOwn(entries, runbook) ? entries[runbook] : undefined;
      if (!entry || entry.contentHash !== contentHash) return null;
      return { commit: entry.commit, authors: entry.authors };
    },
  };
}

function parse(text: string) {
  const value = parseJson(text);
  if (FileSchema.fits(value)) return value.runbooks;
  const [finding] = FileSchema.check(value);
  throw unreadable(`${finding?.pointer || "it"} ${finding?.message ?? "is not valid"}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable("it is no JSON");
  }
}

function unreadable(found: string): Error {
  return fault.critical(
    "RUNBOOK_AUTHORS_UNREADABLE",
    `authors.json beside the compiled runbooks: ${found}`,
    { hint: "build again: node scripts/build.mjs writes it" },
  );
}
