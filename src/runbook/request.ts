/** Is this request well formed? Pure: a name and parameters become a checked request, or every problem at once. */

import type { TSchema } from "typebox";
import type { Json, JsonObject } from "../base/json.js";
import { type CompiledSchema, compileSchema, type SchemaFinding } from "../base/schema.js";
import { didYouMean } from "../base/similar.js";
import type { Runbook } from "./define.js";
import { describePrompt, promptsOf } from "./prompts.js";
import type { RegisteredRunbook, RunbookRegistry } from "./registry.js";

export type CheckedRequest =
  | { readonly ok: true; readonly entry: RegisteredRunbook; readonly params: JsonObject }
  | {
      readonly ok: false;
      readonly code: "unknown-runbook" | "invalid-parameters";
      readonly problems: readonly string[];
    };

const schemas = new WeakMap<Runbook, CompiledSchema<unknown>>();

/**
 * Parameters may come as JSON values or as the text that a person typed; defaults of the schema are
 * filled in, so the stored run says all that it was asked for.
 */
export function checkRequest(
  registry: RunbookRegistry,
  request: { readonly runbook: string; readonly params: Readonly<Record<string, unknown>> },
): CheckedRequest {
  const entry = registry.find(request.runbook);
  if (!entry) return unknownRunbook(registry, request.runbook);
  const params = completeParams(entry.runbook, request.params);
  const findings = schemaOf(entry.runbook).check(params);
  if (findings.length === 0) return { ok: true, entry, params };
  const problems = findings.map((finding) => describeFinding(entry.runbook, params, finding));
  return { ok: false, code: "invalid-parameters", problems: [...new Set(problems)] };
}

/** What is wrong with one parameter by itself; nothing when it fits, whatever else is missing. */
export function checkParameter(runbook: Runbook, name: string, value: unknown): readonly string[] {
  const params = completeParams(runbook, { [name]: value });
  const findings = schemaOf(runbook).check(params);
  const ofIt = findings.filter(({ pointer }) => pointer.split("/")[1] === name);
  return [...new Set(ofIt.map((finding) => describeFinding(runbook, params, finding)))];
}

function unknownRunbook(registry: RunbookRegistry, typed: string): CheckedRequest {
  const hint = registry.hintFor(typed);
  const shown = typed.slice(0, 60);
  return {
    ok: false,
    code: "unknown-runbook",
    problems: [`there is no runbook "${shown}"${hint ? `, ${hint}` : ""}`],
  };
}

function schemaOf(runbook: Runbook): CompiledSchema<unknown> {
  const known = schemas.get(runbook);
  if (known) return known;
  const compiled = compileSchema(runbook.params);
  schemas.set(runbook, compiled);
  return compiled;
}

function completeParams(runbook: Runbook, given: Readonly<Record<string, unknown>>): JsonObject {
  const params: JsonObject = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const schema = runbook.params.properties[name];
    params[name] = (schema ? fromText(schema, value) : value) as Json;
  }
  for (const [name, schema] of Object.entries(runbook.params.properties)) {
    const preset = (schema as { default?: Json }).default;
    if (preset !== undefined && !Object.hasOwn(params, name)) params[name] = preset;
  }
  return params;
}

/** Text where the schema wants a number or a truth value; anything else stays as it is and is judged by the schema. */
function fromText(schema: TSchema, value: unknown): unknown {
  if (typeof value !== "string") return value;
  const { type } = schema as { type?: unknown };
  if ((type === "integer" || type === "number") && /^-?\d+(\.\d+)?$/.test(value))
    return Number(value);
  if (type === "boolean" && (value === "true" || value === "false")) return value === "true";
  return value;
}

function describeFinding(runbook: Runbook, params: JsonObject, finding: SchemaFinding): string {
  const known = Object.keys(runbook.params.properties);
  if (finding.keyword === "additionalProperties") {
    const wrong = String(finding.params.additionalProperty);
    const hint = didYouMean(wrong, known);
    return `${runbook.name} has no parameter "${wrong}"${hint ? `, ${hint}` : ""}`;
  }
  if (finding.keyword === "required") {
    const name = String(finding.params.missingProperty);
    return `${runbook.name} needs "${name}": ${expectation(runbook, name)}`;
  }
  const name = finding.pointer.split("/")[1] ?? "";
  if (finding.keyword === "enum") {
    const allowed = (finding.params.allowedValues as unknown[]).map(String);
    const hint = didYouMean(String(params[name]), allowed);
    return `"${name}": found ${JSON.stringify(params[name])}, ${hint ?? `expected one of ${allowed.join(", ")}`}`;
  }
  const found = JSON.stringify(params[name])?.slice(0, 80);
  return `"${name}": found ${found}, expected ${expectation(runbook, name) || finding.message}`;
}

/** The parameter's own words about itself. */
function expectation(runbook: Runbook, name: string): string {
  const prompt = promptsOf(runbook).find((one) => one.name === name);
  return prompt === undefined ? "" : describePrompt(prompt);
}
