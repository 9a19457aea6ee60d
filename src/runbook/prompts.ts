/**
 * What a runbook still has to be told: one reading of its schema for the terminal that asks, the Slack door that
 * answers, the help and the completion. Pure.
 */
import type { TSchema } from "typebox";
import type { Json } from "../base/json.js";
import { DurationText, JobId, type Runbook } from "./define.js";

/** What its text is, for whoever completes it. */
export type PromptForm = "choice" | "truth" | "number" | "duration" | "job" | "text";

/** One parameter that was not given. */
export interface Prompt {
  readonly name: string;
  readonly form: PromptForm;
  /** What is expected, e.g. `a whole number from 1 to 100`. */
  readonly type: string;
  /** The parameter's own words; "" when it has none. */
  readonly description: string;
  /** What holds when nothing is said; null: nothing does. */
  readonly preset: Json;
  /** The only texts that it takes; none: any of its type. */
  readonly choices: readonly string[];
  /** It must be given. */
  readonly isNeeded: boolean;
  /** It would have to be hidden while it is typed, and from the record: so nothing may ask for it. */
  readonly isSecret: boolean;
}

/** The keywords of JSON Schema that runbooks use for one parameter. */
interface ParameterSchema {
  readonly type?: unknown;
  readonly description?: string;
  readonly default?: Json;
  readonly enum?: readonly Json[];
  readonly const?: Json;
  readonly anyOf?: readonly ParameterSchema[];
  readonly pattern?: string;
  readonly format?: string;
  readonly writeOnly?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

type Given = Readonly<Record<string, unknown>>;

/** In the order in which the definition names them. */
export function promptsOf(runbook: Runbook, given: Given = {}): Prompt[] {
  return Object.entries(runbook.params.properties)
    .filter(([name]) => !Object.hasOwn(given, name))
    .map(([name, schema]) => promptOf(runbook, name, schema));
}

/** Those without which the runbook cannot be asked for. */
export function neededOf(runbook: Runbook, given: Given = {}): Prompt[] {
  return promptsOf(runbook, given).filter(({ isNeeded }) => isNeeded);
}

function promptOf(runbook: Runbook, name: string, typed: TSchema): Prompt {
  const schema = typed as ParameterSchema;
  const { description = "", default: preset = null } = schema;
  const choices = choicesOf(schema);
  const isRequired = runbook.params.required?.includes(name) ?? false;
  return {
    ...{ name, description, preset, choices },
    form: formOf(schema, choices),
    type: typeOf(schema, choices),
    isNeeded: isRequired && schema.default === undefined,
    isSecret: isSecret(name, schema),
  };
}

function choicesOf({ enum: values, const: only, anyOf, type }: ParameterSchema): string[] {
  if (values !== undefined) return values.map(String);
  if (only !== undefined) return [String(only)];
  if (anyOf?.every((one) => one.const !== undefined)) return anyOf.map((one) => String(one.const));
  return type === "boolean" ? ["true", "false"] : [];
}

function formOf({ type, pattern }: ParameterSchema, choices: readonly string[]): PromptForm {
  if (type === "boolean") return "truth";
  if (choices.length > 0) return "choice";
  if (type === "integer" || type === "number") return "number";
  if (pattern === patternOf(DurationText)) return "duration";
  return pattern === patternOf(JobId) ? "job" : "text";
}

function patternOf(schema: TSchema): string | undefined {
  return (schema as ParameterSchema).pattern;
}

function typeOf(schema: ParameterSchema, choices: readonly string[]): string {
  switch (formOf(schema, choices)) {
    case "truth":
      return "true or false";
    case "choice":
      return choices.length === 1 ? `only ${choices[0]}` : `one of ${choices.join(", ")}`;
    case "number":
      return `a ${schema.type === "integer" ? "whole " : ""}number${within(schema.minimum, schema.maximum)}`;
    case "duration":
      return "a duration such as 30m";
    case "job":
      return "a job id such as job-123";
    case "text":
      return textWithin(schema);
  }
}

/** ` from 1 to 100`, ` from 1`, ` up to 100`, or nothing. */
function within(least: number | undefined, most: number | undefined): string {
  if (least === undefined) return most === undefined ? "" : ` up to ${most}`;
  return most === undefined ? ` from ${least}` : ` from ${least} to ${most}`;
}

function textWithin({ minLength = 0, maxLength }: ParameterSchema): string {
  if (maxLength === undefined) return minLength > 1 ? `${minLength} characters or more` : "text";
  return minLength > 1
    ? `${minLength} to ${maxLength} characters`
    : `up to ${maxLength} characters`;
}

/** JSON Schema's `writeOnly`, OpenAPI's `format: password`, or a name that nothing else has. */
function isSecret(name: string, { writeOnly, format }: ParameterSchema): boolean {
  if (writeOnly === true || format === "password") return true;
  return /password|passphrase|secret|credential|api_?key|private_?key|(^|_)token$/i.test(name);
}

/** `why, in 3 to 500 characters`; with what it takes where the description does not say all of it. */
export function describePrompt({ description, type, form }: Prompt): string {
  if (description === "") return type;
  return form === "choice" ? `${description}; ${type}` : description;
}

/** `JOB [REASON]`: those that may be given without their names. */
export function positionalWords(runbook: Runbook): string[] {
  const needed = neededOf(runbook).map(({ name }) => name);
  return runbook.positional.map((name) =>
    needed.includes(name) ? name.toUpperCase() : `[${name.toUpperCase()}]`,
  );
}
