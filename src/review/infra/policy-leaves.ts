/** What a policy document of AWS begins or ceases to allow: actions are names of AWS, resources and conditions are not shown. */
import { canonicalJson, isJsonObject, type Json, type JsonObject } from "../../base/json.js";
import type { Leaf, Shown } from "./plan-document.js";
import { hide } from "./shown-values.js";

/** `s3:PutObject`, `ecs:Describe*`, `*`. */
const ACTION = /^(\*|[a-z][a-z0-9-]{1,30}:[A-Za-z]{0,60}\*?)$/;
const ABSENT: Shown = { kind: "absent" };

/** One leaf for each action that a statement of this effect names on one side only, and one for all else that differs. */
export function policyLeaves(before: Json | undefined, after: Json | undefined): Leaf[] {
  const [old, young] = [grantsOf(before), grantsOf(after)];
  const changed = [...new Set([...old, ...young])]
    .filter((grant) => old.has(grant) !== young.has(grant))
    .sort()
    .map((grant) => leafOf(grant, old.has(grant)));
  const rest = canonicalJson(withoutActions(before)) !== canonicalJson(withoutActions(after));
  if (!rest) return changed;
  return [...changed, { path: ".statements", before: hide(before), after: hide(after) }];
}

function leafOf(grant: string, isOld: boolean): Leaf {
  const [effect = "", action = ""] = grant.split(" ");
  const shown: Shown = { kind: "value", text: effect };
  return {
    path: `[${ACTION.test(action) ? action : "…"}]`,
    before: isOld ? shown : ABSENT,
    after: isOld ? ABSENT : shown,
  };
}

/** `Allow s3:PutObject` */
function grantsOf(document: Json | undefined): Set<string> {
  return new Set(
    statementsOf(document).flatMap((statement) =>
      ["Action", "NotAction"].flatMap((key) =>
        listOf(statement[key]).map((action) => `${effectOf(statement, key)} ${String(action)}`),
      ),
    ),
  );
}

function effectOf({ Effect }: JsonObject, key: string): string {
  const effect = Effect === "Deny" ? "Deny" : "Allow";
  return key === "NotAction" ? `${effect}-all-but` : effect;
}

function statementsOf(document: Json | undefined): JsonObject[] {
  if (!isJsonObject(document)) return [];
  return listOf(document.Statement).filter((one) => isJsonObject(one));
}

function withoutActions(document: Json | undefined): Json {
  if (!isJsonObject(document)) return document ?? null;
  const statements = statementsOf(document).map(({ Action: _, NotAction: __, ...rest }) => rest);
  return { ...document, Statement: statements };
}

function listOf(value: Json | undefined): Json[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
