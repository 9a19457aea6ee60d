/**
 * Request schemas are checked by base/schema, the validator of payloads and policies, so that a client
 * meets one way of speaking. Nothing is coerced in bodies; in queries, digits become numbers.
 */
import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { isJsonObject } from "../base/json.js";
import { compileSchema, type SchemaFinding } from "../base/schema.js";
import { type Finding, HttpProblem } from "./problem.js";

const NUMERIC = /^-?\d{1,15}$/;

export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = compileSchema(schema);
  const inQuery = httpPart === "querystring";
  return (data) => {
    const value = inQuery ? withNumbers(data, schema) : data;
    const findings = compiled.check(value);
    if (findings.length === 0) return { value };
    return {
      error: inQuery
        ? new HttpProblem("invalid-query", "The query does not fit.", {
            errors: toErrors(findings),
          })
        : new HttpProblem("invalid-body", "The body does not fit.", { errors: toErrors(findings) }),
    };
  };
};

export function toErrors(findings: readonly SchemaFinding[], prefix = ""): Finding[] {
  return findings.map(({ pointer, message }) => ({ pointer: prefix + pointer, message }));
}

/** Query values are texts; where the schema wants an integer, a text of digits is one. */
function withNumbers(query: unknown, schema: TSchema): unknown {
  const properties = (schema as { properties?: Record<string, { type?: string }> }).properties;
  if (!isJsonObject(query) || !properties) return query;
  const read = (key: string, value: unknown) =>
    properties[key]?.type === "integer" && typeof value === "string" && NUMERIC.test(value)
      ? Number(value)
      : value;
  return Object.fromEntries(Object.entries(query).map(([key, value]) => [key, read(key, value)]));
}
